"""What the ledger has kept, read page by page in one snapshot for those who decide again."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.trigger.domain.backtest import (
    Batch,
    Before,
    Entry,
    Fate,
    Given,
    Known,
    Record,
    Refusal,
    Word,
    stand_in,
)
from services.trigger.domain.facts import PastAsk, Said
from services.trigger.domain.kept import read_kept
from services.trigger.domain.reasons import Reason
from services.trigger.handlers.backtesting import Ledgered, Window
from services.trigger.store.rows import as_mapping
from shared.columns import columns, unnested
from shared.events import Event
from shared.programme.models import Programme

PAGE: Final = 5000
_EVENT: Final = "seq, source, event_id, type, time, subject, customer_id, reach, data::text AS data"
_EVENTS: Final = text(
    f"SELECT {_EVENT}, heard_at FROM occasions"  # noqa: S608
    " WHERE seq > :after AND heard_at >= :start AND heard_at < :now ORDER BY seq LIMIT :most"
)
_FIRST: Final = text("SELECT min(seq) FROM occasions WHERE heard_at >= :start AND heard_at < :now")
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
        d.reason, d.turn, d.decided_at, d.programme, d.facts::text AS facts, {_LETTER}
    FROM {unnested(_KEY)}
    JOIN decisions d ON d.source = r.source AND d.event_id = r.event_id
    LEFT JOIN invitations i ON i.id = d.invitation_id AND i.source = d.source
        AND i.event_id = d.event_id AND i.trigger = d.trigger
""")  # noqa: S608
_GIVEN: Final = text(f"""
    SELECT {_LETTER}, i.subject_id, i.event_time, i.created_at, i.reminder_of,
        i.status = 'cancelled' AND EXISTS (
            SELECT FROM decisions d
            WHERE d.invitation_id = i.id AND d.reason = 'cancelled-by-event'
        ) AS taken_back
    FROM invitations i
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
_COUNTED: Final = frozenset({"scheduled", "sending", "sent", "unknown"})
_CANCELLED: Final = Reason.CANCELLED_BY_EVENT


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
        given = [_given(row) for row, none in zip(letters, gone, strict=True) if not none]
        return Before(given, [_event(row) for row in rows])

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
            yield _batches({clock: waiting.pop(clock) for clock in whole})
        yield _batches(waiting)

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
            of_event[row["decided_for"]] = _record(row)
        both = zip(rows, keys, strict=True)
        return [Entry(r["seq"], _event(r), r["heard_at"], records.get(k, {})) for r, k in both]


def _batches(waiting: Mapping[datetime, Sequence[Entry]]) -> list[Batch]:
    found = [Batch(entries, _place(entries), clock) for clock, entries in waiting.items()]
    return sorted(found, key=lambda batch: batch.place)


def _place(entries: Iterable[Entry]) -> int:
    """Where the first of its decisions stands, else where it was written."""
    turns = [r.turn for e in entries for t in e.records if (r := e.record_of_then(t)) is not None]
    return min(turns, default=min(entry.seq for entry in entries))


def _event(row: RowMapping) -> Event:
    data = msgspec.json.decode(row["data"], type=dict[str, Any])
    return Event(
        id=row["event_id"],
        source=row["source"],
        type=row["type"],
        time=row["time"],
        subject=row["subject"],
        data=stand_in(data, row["customer_id"], row["reach"]),
    )


def _record(row: RowMapping) -> Record:
    asked, reason = row["id"] is not None, row["reason"]
    taken_back = asked and reason == _CANCELLED
    return Record(
        trigger=row["decided_for"],
        reason=Reason(row["decided"]),
        turn=row["turn"] or 0,
        decided_at=row["decided_at"],
        programme=row["programme"],
        kept=read_kept(row["facts"]),
        ask=_ask(row) if asked else None,
        fate=_fate(row) if asked and not taken_back else None,
        taken_back=taken_back,
    )


def _given(row: RowMapping) -> Given:
    return Given(
        customer_id=row["customer_id"],
        ask=_ask(row),
        subject_id=row["subject_id"],
        event_time=row["event_time"],
        made_at=row["created_at"],
        fate=None if row["taken_back"] else _fate(row),
        taken_back=row["taken_back"],
        parent=row["reminder_of"],
    )


def _ask(row: RowMapping) -> PastAsk:
    return PastAsk(
        invitation_id=row["id"],
        survey=row["survey"],
        trigger=row["trigger"],
        channel=row["channel"],
        segments=as_mapping(row["segments"]),
        at=row["send_at"],
    )


def _fate(row: RowMapping) -> Fate | None:
    """When it is known what became of it; a cancelling event is the run's own to find."""
    tried, at = row["claimed_at"], row["invited_at"] or row["send_at"]
    if row["status"] in _COUNTED:
        known = row["invited_at"] or tried
        return None if known is None else Fate(known, at, row["channel"])
    return Fate(row["closed_at"] or tried or at, None, row["channel"])
