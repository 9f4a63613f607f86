"""The past of every line, read for a rehearsal: in chunks, in short transactions, only read."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain.alerts import Alert
from services.alerts.domain.answers import Line, begin_of
from services.alerts.domain.causes import Remark
from services.alerts.domain.mixes import Mix, as_heeded, left_out
from services.alerts.handlers.rehearsing import Closing, Rehearsal, Setup
from services.alerts.store.alerts import read_alert
from services.alerts.store.clusters import read_clusters
from services.alerts.store.lines import Standing, read_chunk, read_lines
from services.alerts.store.mixes import read_heeded, read_mixes
from services.alerts.store.past import SqlPast

Rest = Callable[[], Awaitable[None]]  # between two chunks

MINUTE: Final = timedelta(minutes=1) - timedelta.resolution
_FIRST: Final = sa.text("""
    SELECT min(minute) FROM ticks WHERE metric = :metric AND survey = :survey AND answers > 0
""")
_EARLIEST: Final = sa.text("""
    SELECT minute, answers FROM ticks WHERE metric = :metric AND survey = :survey AND answers > 0
    ORDER BY minute LIMIT :most
""")
_RAISED: Final = sa.text("""
    SELECT body FROM alerts WHERE metric = :metric AND survey = :survey
        AND opened_at > :begin AND opened_at <= :end ORDER BY opened_at, id
""")


class LeavesOnly(SqlPast):
    """What was counted; what detractors said changes nothing that is rehearsed."""

    async def remarks(self, segment: str, first: int, last: int, most: int) -> Sequence[Remark]:  # noqa: ARG002
        """Nothing."""
        return ()


@dataclass(frozen=True)
class Known:
    """What is kept of a line: its minutes from `first` to that judged last.

    `begun_in`: the minute of its 50th answer, with which it began to share the promise.
    """

    standing: Standing
    first: int
    begun_in: int

    @property
    def line(self) -> Line:
        return self.standing.line

    @property
    def last(self) -> int:
        return self.standing.judged_to


async def read_known(connection: AsyncConnection, warm_answers: float) -> list[Known]:
    """What is kept of each line that has begun to be judged."""
    known = []
    for standing in await read_lines(connection):
        names = standing.line._asdict()
        first = (await connection.execute(_FIRST, names)).scalar_one()
        if first is None or standing.judged_to <= 0:
            continue
        left, begun_in = warm_answers, standing.judged_to
        earliest = await connection.execute(_EARLIEST, names | {"most": int(warm_answers)})
        for minute, answers in earliest:
            left, begun_in = left - answers, minute
            if left <= 0:
                break
        known.append(Known(standing, first, begun_in))
    return known


async def read_raised(
    connection: AsyncConnection, line: Line, first: int, last: int
) -> Sequence[Alert]:
    """The alerts that really opened in these minutes."""
    values = {**line._asdict(), "begin": begin_of(first), "end": begin_of(last + 1)}
    return [read_alert(body) for body in (await connection.execute(_RAISED, values)).scalars()]


def closings_of(alerts: Sequence[Alert]) -> list[Closing]:
    """What persons closed, and how far the line's time had come."""
    return [
        Closing(alert.resolved_at, alert.raised_segment, alert.state)
        for alert in alerts
        if alert.closed is not None and alert.resolved_at is not None
    ]


async def play(
    connection: AsyncConnection, known: Known, setup: Setup, span: tuple[int, int], rest: Rest
) -> Rehearsal:
    """Rehearse a line's minutes of a span, both inclusive; `rest` comes after each chunk."""
    windows: dict[str, Mix] = {}
    reached, last = max(span[0], known.first) - 1, min(span[1], known.last)
    async with connection.begin():
        clusters = await read_clusters(connection, known.line, reached)
        heeded = await read_heeded(connection, known.line)
    rehearsal = Rehearsal(known.line, setup, LeavesOnly(connection, known.line), clusters)
    while reached < last:
        standing = replace(known.standing, judged_to=reached, closed_to=last)
        async with connection.begin():
            begin = begin_of(reached)
            reached, minutes = await read_chunk(connection, standing)
            until = (begin, begin_of(reached + 1))
            mixes = await read_mixes(connection, known.line, setup.lattice, windows, until)
            mixes = as_heeded(mixes, heeded)
            rehearsal.heed(mix.window for mix in mixes if mix.window.lasts_within(*until))
            for minute, ticks in minutes.items():
                at = begin_of(minute)
                skewed = left_out(mixes, rehearsal.catalogue, at, at + MINUTE)
                await rehearsal.judge(minute, ticks, skewed)
                await asyncio.sleep(0)  # others share this loop
        await rest()
    return rehearsal
