"""The table `touched`: each batch notes the moments from which it took and to which it added."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg

from services.scoring.domain.answers import SENT, Change
from services.scoring.store.columns.spans import Spans

FAR: Final = 2**62  # microseconds: later than any answer
KEPT: Final = timedelta(hours=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)
_NEAR: Final = timedelta(seconds=10)
_WIDE: Final = timedelta(hours=1)
_SPANS_AT_MOST: Final = 1_000

_NOTE: Final = (
    "INSERT INTO touched (firsts, lasts, moments) VALUES ($1::bigint[], $2::bigint[], $3)"
)
_READ: Final = """
    SELECT pg_current_snapshot()::text, pg_postmaster_start_time()::text, t.* FROM (
        SELECT array_agg(s.first), array_agg(s.last)
        FROM touched CROSS JOIN unnest(firsts, lasts) AS s(first, last)
        WHERE xid >= pg_snapshot_xmin(coalesce($1::text::pg_snapshot, pg_current_snapshot()))
        AND NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
    ) AS t
"""
_FORGET: Final = """
    DELETE FROM touched WHERE xid IN (
        SELECT xid FROM touched WHERE at < clock_timestamp() - $1::interval
        ORDER BY xid LIMIT 5000
    )
"""


def ticks(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - _EPOCH) // _TICK


def moment_of(tick: int) -> datetime:
    """The moment of a number of microseconds since 1970."""
    return _EPOCH + tick * _TICK


@dataclass(frozen=True)
class Touched:
    """What was changed by transactions that an earlier snapshot did not see."""

    snapshot: str | None
    server: str  # when it started: another one may know less
    spans: Spans

    @property
    def all(self) -> bool:
        """Whether everything was counted anew."""
        return bool(len(self.spans)) and int(self.spans.starts[0]) == -FAR


async def note_touched(connection: asyncpg.Connection, changes: Iterable[Change]) -> None:
    """Note every moment from which these changes take, or to which they add."""
    moments = _moments(changes)
    if not moments:
        return
    spans = _together(moments, _NEAR)
    if len(spans) > _SPANS_AT_MOST:
        spans = _together(moments, _WIDE)
    firsts, lasts = [ticks(first) for first, _ in spans], [ticks(last) for _, last in spans]
    await connection.execute(_NOTE, firsts, lasts, len(moments))


async def note_all(connection: asyncpg.Connection) -> None:
    """Note that nothing remembered holds any more."""
    await connection.execute(_NOTE, [-FAR], [FAR], 0)


async def read_touched(connection: asyncpg.Connection, since: str | None) -> Touched:
    """What this snapshot sees and the one `since` did not; nothing where there was none."""
    snapshot, server, firsts, lasts = await connection.fetchrow(_READ, since)
    return Touched(snapshot, server, Spans.of(firsts or (), [last + 1 for last in lasts or ()]))


async def forget_touched(connection: asyncpg.Connection) -> None:
    """Delete a batch of the notes older than an hour."""
    await connection.execute(_FORGET, KEPT)


def _moments(changes: Iterable[Change]) -> list[datetime]:
    found = set()
    for change in changes:
        for truth in (change.before, change.after):
            if truth is None:
                continue
            if truth.reply is not None:
                found.add(truth.reply.answered_at)
            if truth.asking is not None and truth.asking.status == SENT:
                found.add(truth.asking.invited_at)
    return sorted(found)


def _together(moments: Sequence[datetime], gap: timedelta) -> list[tuple[datetime, datetime]]:
    """Rising moments as spans; those closer than `gap` share one."""
    spans: list[tuple[datetime, datetime]] = []
    first = last = moments[0]
    for moment in moments:
        if moment - last > gap:
            spans.append((first, last))
            first = moment
        last = moment
    spans.append((first, last))
    return spans
