"""What the world has not been told yet: records for Kafka, messages for destinations."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.domain.alerts import Alert
from services.alerts.domain.audit import Entry
from services.alerts.domain.deliveries import Addressee, Disabled, Step
from services.alerts.domain.estimates import Severity
from services.alerts.domain.silences import Silence, silenced_by
from services.alerts.store.alerts import read_alert
from services.alerts.store.audit import note
from services.alerts.store.destinations import count_dead, disable, read_disabled
from services.alerts.store.holding import keep_silence
from services.alerts.store.traced import read_traces
from shared.senders import SEND_WITHIN, lease_for

LEASE: Final = lease_for(SEND_WITHIN)
_ALERT: Final = msgspec.json.Decoder(Alert)
_UNPUBLISHED: Final = sa.text("""
    SELECT seq, alert_id, revision, record FROM changes WHERE NOT published
    ORDER BY seq LIMIT :most FOR UPDATE SKIP LOCKED
""")
_PUBLISHED: Final = sa.text(
    "UPDATE changes SET published = true WHERE seq = ANY(CAST(:seqs AS bigint[]))"
)
# A claim is a lease: if its sender dies, the delivery is due again when the lease is over. A change
# of an alert waits while an earlier one does or is being tried, by whomever. What opened first goes
# first: for Alertmanager a later alert of the same segment is the same alert.
_CLAIM: Final = sa.text("""
    WITH due AS (
        SELECT destination, key FROM deliveries w
        WHERE destination = :destination AND state = 'pending' AND next_at <= :now
            AND NOT EXISTS (SELECT FROM deliveries e
                WHERE e.destination = w.destination AND e.alert_id = w.alert_id
                    AND e.revision < w.revision AND e.state = 'pending')
            AND NOT EXISTS (SELECT FROM disabled x
                WHERE x.destination = :destination AND x.url = :url)
        ORDER BY next_at LIMIT :most FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE deliveries d SET next_at = :lease, attempts = d.attempts + 1
        FROM due WHERE d.destination = due.destination AND d.key = due.key RETURNING d.*
    )
    SELECT t.key, t.revision, t.attempts, t.since, a.body, a.raised_as, c.record
    FROM taken t JOIN alerts a ON a.id = t.alert_id
    JOIN changes c ON c.alert_id = t.alert_id AND c.revision = t.revision
    ORDER BY a.opened_at, t.alert_id, t.revision
""")
# A change that came meanwhile has made the delivery due anew; then this says nothing about it.
_SETTLE: Final = sa.text("""
    UPDATE deliveries SET state = :state, next_at = :next_at, attempts = :attempts,
        detail = :detail, told_at = coalesce(told_at, CAST(:told_at AS timestamptz))
    WHERE destination = :destination AND key = :key AND revision = :revision
        AND state = 'pending'
""")


@dataclass(frozen=True)
class News:
    """A change to be published; of one that opens an alert the `traces` of answers that did."""

    alert_id: str
    record: str
    traces: Sequence[str] = ()


@dataclass(frozen=True)
class Claimed:
    """A delivery that is ours to try: the alert as it is, and the record of its revision.

    One that a silence covers and that fires nevertheless stands as in that record.
    """

    key: str
    revision: int
    attempts: int
    since: datetime
    alert: Alert
    raised_as: Severity
    record: str

    @property
    def fires_on(self) -> bool:
        """Whether this is about an alert that is open, not about one of its changes."""
        return self.key == self.alert.id and not self.alert.state.is_over


class Outbox:
    """Rows that wait to be told; each call its own transaction."""

    def __init__(self, engine: AsyncEngine, *, lease: timedelta = LEASE) -> None:
        self._engine = engine
        self._lease = lease

    @asynccontextmanager
    async def unpublished(self, most: int) -> AsyncIterator[Sequence[News]]:
        """Yield changes; they are published when the block ends without an error."""
        async with self._engine.begin() as connection:
            rows = (await connection.execute(_UNPUBLISHED, {"most": most})).all()
            opened = {row.seq: _ALERT.decode(row.record) for row in rows if row.revision == 1}
            traces = await read_traces(connection, opened.values())
            yield [
                News(row.alert_id, row.record, traces[row.alert_id] if row.seq in opened else ())
                for row in rows
            ]
            if rows:
                await connection.execute(_PUBLISHED, {"seqs": [row.seq for row in rows]})

    async def claim(self, to: Addressee, most: int, now: datetime) -> Sequence[Claimed]:
        """Take what is due to a destination, nothing if it is disabled; committed on return.

        What a silence covers is held back, and what it covers no longer is let go or dropped.
        """
        times = {"now": now, "lease": now + self._lease}
        values = {"destination": to.name, "url": to.url, "most": most, **times}
        async with self._engine.begin() as connection:
            silences = await keep_silence(connection, to.name, now)
            rows = (await connection.execute(_CLAIM, values)).all()
        return [_claimed(row, silences, now) for row in rows]

    async def standing(self, to: Addressee) -> tuple[Disabled | None, int]:
        """Since when and why nothing is claimed for a destination, and how much was given up."""
        async with self._engine.connect() as connection:
            return await read_disabled(connection, to), await count_dead(connection, to.name)

    async def settle(
        self, to: Addressee, steps: Sequence[tuple[Claimed, Step]], now: datetime
    ) -> None:
        """Store what became of deliveries; one that says `gone` disables its destination."""
        values: list[dict[str, Any]] = [
            {
                "destination": to.name,
                "key": claimed.key,
                "revision": claimed.revision,
                "state": step.outcome,
                "next_at": step.next_at,
                "attempts": step.attempts,
                "detail": step.detail,
                "told_at": now if step.detail is None else None,
            }
            for claimed, step in steps
        ]
        async with self._engine.begin() as connection:
            await connection.execute(_SETTLE, values)
            gone = next((step.detail or "" for _, step in steps if step.gone), None)
            if gone is not None and await disable(connection, to, Disabled(now, gone)):
                await note(connection, _disabled(to, gone, now))


def _claimed(row: Any, silences: Sequence[Silence], now: datetime) -> Claimed:
    alert = read_alert(row.body)
    if row.key == alert.id and silenced_by(alert, silences, now):
        alert = msgspec.json.decode(row.record, type=Alert)
    raised_as = Severity(row.raised_as)
    return Claimed(row.key, row.revision, row.attempts, row.since, alert, raised_as, row.record)


def _disabled(to: Addressee, detail: str, now: datetime) -> Entry:
    said = {"detail": detail}
    return Entry(at=now, by=None, action="destination-disabled", subject=to.name, detail=said)
