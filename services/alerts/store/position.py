"""How far the judge has come, and what it looks at to go on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.alerts.domain.streams import LeafTick, Line

JUDGE: Final = 0x6561_7273_686F_7401  # advisory locks, one number each
CLOSING: Final = 0x6561_7273_686F_7402

_ROWS_A_CHUNK: Final = 4_000

_ELECT: Final = sa.text("SELECT pg_try_advisory_lock(:key)")
_PARTITIONS: Final = sa.text("""
    SELECT o.partition, o.next, h.newest FROM offsets o
    LEFT JOIN heard h ON h.log = o.log AND h.partition = o.partition
    WHERE o.group_id = :group AND o.log = :log AND o.topic = :topic
""")
_LAST: Final = sa.text("SELECT max(newest) FROM heard")
_WAIT: Final = sa.text("SELECT pg_advisory_xact_lock(:key)")
_CLOSE: Final = sa.text("UPDATE position SET closed_to = :minute WHERE closed_to < :minute")
_POSITION: Final = sa.text("SELECT closed_to, judged_to, judged_at FROM position")
_MOVE: Final = sa.text("""
    UPDATE position SET judged_to = :after, judged_at = greatest(judged_at, :judged_at)
    WHERE judged_to = :before
""")
_HEARD: Final = sa.text("UPDATE position SET judged_at = greatest(judged_at, :judged_at)")
# A chunk ends with a whole minute.
_BOUND: Final = sa.text("""
    SELECT max(minute), count(*) FROM (
        SELECT minute FROM ticks WHERE minute > :first AND minute <= :last
        ORDER BY minute LIMIT :most
    ) AS next
""")
_CHUNK: Final = sa.text("""
    SELECT minute, metric, survey, leaf, sum(answers) AS answers, sum(detractors) AS detractors
    FROM ticks WHERE minute > :first AND minute <= :last
    GROUP BY minute, metric, survey, leaf HAVING sum(answers) > 0
    ORDER BY minute, metric, survey, leaf
""")
_OPEN: Final = sa.text("""
    SELECT metric, survey, leaf, sum(answers) AS answers, sum(detractors) AS detractors,
        min(min(minute)) OVER () AS first, max(max(minute)) OVER () AS last
    FROM ticks WHERE minute > :closed_to
    GROUP BY metric, survey, leaf HAVING sum(answers) > 0
    ORDER BY metric, survey, leaf
""")
_OPEN_SPAN: Final = sa.text("""
    SELECT min(minute), max(minute) FROM ticks WHERE minute > :closed_to AND answers > 0
""")


class Fenced(Exception):
    """Another judge has moved on from where this one stood."""


@dataclass(frozen=True)
class Position:
    """Minutes up to `closed_to` take no more answers, those up to `judged_to` are in the fleet.

    `judged_at`: event time up to which alarms were looked for, the open minute included.
    """

    closed_to: int
    judged_to: int
    judged_at: datetime | None


@dataclass(frozen=True)
class Counted:
    """How far each partition was counted, and the newest answer of each and of all."""

    nexts: dict[int, int]
    newest: dict[int, datetime]
    last: datetime | None


@dataclass(frozen=True)
class OpenTicks:
    """What the open minutes hold so far."""

    first: int
    last: int
    ticks: Sequence[LeafTick]


async def elect(engine: AsyncEngine) -> AsyncConnection | None:
    """A connection that holds the judge's lock for as long as it lives; None where another does."""
    connection = await engine.connect()
    try:
        async with connection.begin():
            elected = (await connection.execute(_ELECT, {"key": JUDGE})).scalar_one()
    except BaseException:
        await connection.invalidate()
        raise
    if not elected:
        await connection.close()
        return None
    return connection


async def read_counted(connection: AsyncConnection, *, group: str, log: str, topic: str) -> Counted:
    """Read how far the consumers have come."""
    names = {"group": group, "log": log, "topic": topic}
    rows = (await connection.execute(_PARTITIONS, names)).all()
    last = (await connection.execute(_LAST)).scalar_one()
    return Counted(
        {row.partition: int(row.next) for row in rows},
        {row.partition: row.newest for row in rows if row.newest is not None},
        last,
    )


async def read_position(connection: AsyncConnection) -> Position:
    """Read where the judge stands."""
    closed_to, judged_to, judged_at = (await connection.execute(_POSITION)).one()
    return Position(closed_to, judged_to, judged_at)


async def close_minutes(connection: AsyncConnection, minute: int) -> None:
    """Let no more evidence into minutes up to this one; waits for batches that are under way."""
    async with connection.begin():
        await connection.execute(_WAIT, {"key": CLOSING})
        await connection.execute(_CLOSE, {"minute": minute})


async def read_chunk(
    connection: AsyncConnection, position: Position, most: int = _ROWS_A_CHUNK
) -> tuple[int, dict[int, list[LeafTick]]]:
    """The next closed minutes, each whole, and the minute up to which that is everything."""
    values = {"first": position.judged_to, "last": position.closed_to}
    bound, number = (await connection.execute(_BOUND, values | {"most": most})).one()
    if number == 0:
        return position.closed_to, {}
    minutes: dict[int, list[LeafTick]] = {}
    for minute, metric, survey, leaf, answers, detractors in await connection.execute(
        _CHUNK, values | {"last": bound}
    ):
        tick = LeafTick(Line(metric, survey), leaf, answers, detractors)
        minutes.setdefault(minute, []).append(tick)
    return (position.closed_to if number < most else bound), minutes


async def read_open(connection: AsyncConnection, closed_to: int, span: int) -> OpenTicks | None:
    """What the open minutes hold, as one; None where they hold nothing or are more than `span`."""
    first, last = (await connection.execute(_OPEN_SPAN, {"closed_to": closed_to})).one()
    if first is None or last - first >= span:
        return None
    rows = await connection.execute(_OPEN, {"closed_to": closed_to})
    ticks = [
        LeafTick(Line(row.metric, row.survey), row.leaf, row.answers, row.detractors)
        for row in rows
    ]
    return OpenTicks(first, last, ticks)


async def move(
    connection: AsyncConnection, before: int, after: int, judged_at: datetime | None
) -> None:
    """Note that minutes up to `after` are judged. Raises Fenced."""
    values = {"before": before, "after": after, "judged_at": judged_at}
    if (await connection.execute(_MOVE, values)).rowcount != 1:
        raise Fenced


async def note_heard(connection: AsyncConnection, judged_at: datetime) -> None:
    """Note up to when alarms were looked for in the open minutes."""
    await connection.execute(_HEARD, {"judged_at": judged_at})
