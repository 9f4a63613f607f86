"""What the ledger has kept, read page by page in one snapshot for those who decide again."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.trigger.domain.backtest import Batch, Before, Entry, Known, Record, Refusal, Word
from services.trigger.domain.facts import Said
from services.trigger.handlers.backtesting import Ledgered, Window
from services.trigger.store.kept import batches_of, read_event, read_given, read_record
from shared.columns import columns, unnested
from shared.programme.models import Programme

PAGE: Final = 5000
_EVENT: Final = "seq, source, event_id, type, time, subject, customer_id, reach, data::text AS data"
_EVENTS: Final = text(
    f"SELECT {_EVENT}, heard_at FROM occasions"  # noqa: S608
    " WHERE seq > :after AND heard_at >= :start AND heard_at < :now ORDER BY seq LIMIT :most"
)
# `+ 0`: by the index of seq it would read all that came before the window
_FIRST: Final = text(
    "SELECT min(seq + 0) FROM occasions WHERE heard_at >= :start AND heard_at < :now"
)
_CANCELLING: Final = text(
    f"SELECT {_EVENT} FROM occasions"  # noqa: S608
    " WHERE heard_at >= :since AND heard_at < :start AND type = ANY(CAST(:types AS text[]))"
)
# An invitation, as caps count it, and what became of it.
_LETTER: Final = """
    i.id, i.customer_id, i.survey, i.trigger, i.segments::text AS segments,
    i.channels[1] AS channel, i.status, i.send_at, i.invited_at, i.claimed_at,
    CASE WHEN i.status = 'cancelled' THEN (
        SELECT min(s.at) FROM suppressions s
        WHERE s.customer_id = i.customer_id AND s.at BETWEEN i.created_at AND i.send_at
    ) END AS closed_at
"""
_KEY: Final = {"source": "text", "event_id": "text"}
_RECORDS: Final = text(f"""
    SELECT d.source, d.event_id, d.trigger AS decided_for, coalesce(d.decided, d.reason) AS decided,
        d.reason, d.turn, d.decided_at, d.programme, d.facts::text AS facts,
        d.facts->>'by' AS first_channel, {_LETTER}
    FROM {unnested(_KEY)}
    JOIN decisions d ON d.source = r.source AND d.event_id = r.event_id
    LEFT JOIN invitations i ON i.id = d.invitation_id AND i.source = d.source
        AND i.event_id = d.event_id AND i.trigger = d.trigger
""")  # noqa: S608
_GIVEN: Final = text(f"""
    SELECT {_LETTER}, i.subject_id, i.event_time, i.created_at, i.reminder_of,
        d.facts->>'by' AS first_channel,
        i.status = 'cancelled' AND d.reason IS NOT DISTINCT FROM 'cancelled-by-event' AS taken_back
    FROM invitations i LEFT JOIN decisions d
        ON d.source = i.source AND d.event_id = i.event_id AND d.trigger = i.trigger
        AND d.invitation_id = i.id
    WHERE coalesce(i.invited_at, i.send_at) > :asked_since AND i.created_at < :now
        AND (i.reminder_of IS NOT NULL OR NOT EXISTS (
            SELECT FROM occasions o WHERE o.source = i.source AND o.event_id = i.event_id
            AND o.heard_at >= :start AND o.heard_at < :now))
""")  # noqa: S608
_ASKED: Final = text(
    "SELECT id FROM invitations WHERE id = ANY(CAST(:ids AS text[])) AND created_at < :start"
)
# Words of the window are heard again when their events come.
_WORDS: Final = text("""
    SELECT c.customer_id, c.channel, c.said, c.at FROM consents c
    LEFT JOIN occasions o ON o.source = c.source AND o.event_id = c.event_id
    WHERE c.customer_id = ANY(CAST(:ids AS text[])) AND (o.seq IS NULL OR o.heard_at < :start)
""")
_REFUSALS: Final = text(
    "SELECT customer_id, channel, at FROM suppressions"
    " WHERE customer_id = ANY(CAST(:ids AS text[]))"
)
_NEAR: Final = 5000
# Reminders follow no event, and are not decided again.
_LEDGERED: Final = text("""
    SELECT d.programme, count(*) AS decisions, max(d.decided_at) AS until,
        count(*) FILTER (WHERE o.seq IS NULL) AS lost
    FROM decisions d
    LEFT JOIN occasions o ON o.source = d.source AND o.event_id = d.event_id
    WHERE d.decided_at >= :since AND d.event_type <> 'reminder'
    GROUP BY d.programme ORDER BY until DESC
""")


class History:
    """`handlers.backtesting.Past` on one connection, whose transaction is one snapshot."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def ledgered(self, since: datetime) -> Ledgered:
        rows = (await self._connection.execute(_LEDGERED, {"since": since})).all()
        return Ledgered(
            by_programme={row.programme: row.decisions for row in rows},
            newest=rows[0].programme if rows else None,
            lost=sum(row.lost for row in rows),
        )

    async def before(self, window: Window, programme: Programme) -> Before:
        times = {"asked_since": window.asked_since, "start": window.start, "now": window.now}
        letters = (await self._connection.execute(_GIVEN, times)).mappings().all()
        types = sorted(programme.cancelled_by)
        values = {"since": window.cancelled_since, "start": window.start, "types": types}
        rows = (await self._connection.execute(_CANCELLING, values)).mappings().all()
        gone = [row["taken_back"] and row["send_at"] <= window.start for row in letters]
        given = [read_given(row) for row, none in zip(letters, gone, strict=True) if not none]
        return Before(given, [read_event(row) for row in rows])

    async def pages(self, window: Window) -> AsyncIterator[Sequence[Batch]]:
        times = {"start": window.start, "now": window.now}
        first = await self._connection.scalar(_FIRST, times)
        after = (first or 0) - 1
        waiting: dict[datetime, list[Entry]] = {}
        while entries := await self._page(after, times):
            after = entries[-1].seq
            for entry in entries:
                waiting.setdefault(entry.heard_at, []).append(entry)
            # the rows of batches that were written at the same time lie among each other
            whole = [clock for clock, found in waiting.items() if found[-1].seq <= after - _NEAR]
            yield batches_of({clock: waiting.pop(clock) for clock in whole})
        yield batches_of(waiting)

    async def known(
        self, invitations: Sequence[str], customers: Sequence[str], window: Window
    ) -> Known:
        values = {"ids": customers, "start": window.start}
        asked = await self._connection.execute(_ASKED, {"ids": invitations, "start": window.start})
        words = await self._connection.execute(_WORDS, values)
        refusals = await self._connection.execute(_REFUSALS, {"ids": customers})
        return Known(
            asked=asked.scalars().all(),
            words=[Word(owner, name, Said(said, at)) for owner, name, said, at in words],
            refusals=[Refusal(*row) for row in refusals],
        )

    async def _page(self, after: int, times: Mapping[str, datetime]) -> list[Entry]:
        values = {**times, "after": after, "most": PAGE}
        rows = (await self._connection.execute(_EVENTS, values)).mappings().all()
        if not rows:
            return []
        keys = [(row["source"], row["event_id"]) for row in rows]
        found = (await self._connection.execute(_RECORDS, columns(_KEY, keys))).mappings()
        records: dict[tuple[str, str], dict[str, Record]] = {}
        for row in found:
            of_event = records.setdefault((row["source"], row["event_id"]), {})
            of_event[row["decided_for"]] = read_record(row)
        both = zip(rows, keys, strict=True)
        return [Entry(r["seq"], read_event(r), r["heard_at"], records.get(k, {})) for r, k in both]
