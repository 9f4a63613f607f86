"""How far each line was judged, and what the judge looks at to go on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain.answers import Line
from services.alerts.domain.streams import LeafTick

CLOSING: Final = 0x6561_7273_686F_7402  # an advisory lock

_ROWS_A_CHUNK: Final = 1_000  # about as many minutes, half a second

_NEXTS: Final = sa.text("""
    SELECT partition, next FROM offsets
    WHERE group_id = :group AND log = :log AND topic = :topic
""")
_LATELY: Final = sa.text("SELECT partition, metric, survey, lately FROM heard WHERE log = :log")
# Bounded on both sides: of a lower bound alone the planner thinks that it leaves a third of all
# that is kept, and reads the whole table twice a second.
_LINES: Final = sa.text("""
    SELECT l.metric, l.survey, l.closed_to, l.judged_to, t.answers, t.first, t.last,
        (SELECT max(h.newest) FROM heard h WHERE h.metric = l.metric AND h.survey = l.survey)
            AS newest,
        EXISTS (SELECT FROM alerts a WHERE a.metric = l.metric AND a.survey = l.survey
            AND NOT a.settled AND a.state IN ('resolved', 'accepted')
            AND a.holds <> '{}' AND (a.pending = '{}' OR a.opened_in <= l.judged_to)
            AND extract(epoch FROM CAST(a.body ->> 'resolved_at' AS timestamptz))
                < 60 * (l.judged_to + 1.0)) AS by_hand
    FROM lines l CROSS JOIN LATERAL (
        SELECT coalesce(sum(t.answers), 0) AS answers, min(t.minute) AS first, max(t.minute) AS last
        FROM ticks t WHERE t.metric = l.metric AND t.survey = l.survey
            AND t.minute > l.closed_to AND t.minute <= 2147483647 AND t.answers > 0
    ) t ORDER BY l.metric, l.survey
""")
_WAIT: Final = sa.text("SELECT pg_advisory_xact_lock(:key)")
_CLOSE: Final = sa.text("""
    UPDATE lines SET closed_to = :minute
    WHERE metric = :metric AND survey = :survey AND closed_to < :minute
""")
_MOVE: Final = sa.text("""
    UPDATE lines SET judged_to = :after
    WHERE metric = :metric AND survey = :survey AND judged_to = :before
""")
_JUDGED: Final = sa.text("SELECT at FROM judged")
_NOTE: Final = sa.text("UPDATE judged SET at = :at WHERE at IS DISTINCT FROM :at")
_NEWEST: Final = sa.text("""
    SELECT max(newest) FROM heard WHERE metric = :metric AND survey = :survey
""")
# A chunk ends with a whole minute.
_BOUND: Final = sa.text("""
    SELECT max(minute), count(*) FROM (
        SELECT minute FROM ticks WHERE metric = :metric AND survey = :survey
            AND minute > :first AND minute <= :last
        ORDER BY minute LIMIT :most
    ) AS next
""")
_CHUNK: Final = sa.text("""
    SELECT minute, leaf, sum(answers) AS answers, sum(detractors) AS detractors, cluster FROM ticks
    WHERE metric = :metric AND survey = :survey AND minute > :first AND minute <= :last
    GROUP BY minute, leaf, cluster HAVING sum(answers) > 0 ORDER BY minute, leaf, cluster
""")


class Fenced(Exception):
    """Another judge has moved on from where this one stood."""


@dataclass(frozen=True)
class Standing:
    """Where a line stands.

    Minutes up to `closed_to` take no more answers, those up to `judged_to` are in the fleet. Open
    minutes hold `answers`, from minute `first` to `last`. `newest`: its newest answer ever.
    `by_hand`: a person closed an alert, all that came before was judged, the fleet is to be told.
    """

    line: Line
    closed_to: int
    judged_to: int
    answers: int
    first: int | None
    last: int | None
    newest: datetime | None
    by_hand: bool


@dataclass(frozen=True)
class Counted:
    """How far each partition was counted, and the newest answers of the last batch of each."""

    nexts: dict[int, int]
    lately: dict[Line, dict[int, datetime]]


async def read_counted(connection: AsyncConnection, *, group: str, log: str, topic: str) -> Counted:
    """Read how far the consumers have come."""
    nexts = await connection.execute(_NEXTS, {"group": group, "log": log, "topic": topic})
    found = Counted({number: int(offset) for number, offset in nexts}, {})
    for number, metric, survey, at in await connection.execute(_LATELY, {"log": log}):
        found.lately.setdefault(Line(metric, survey), {})[number] = at
    return found


async def read_lines(connection: AsyncConnection) -> list[Standing]:
    """Read where every line stands."""
    rows = await connection.execute(_LINES)
    return [Standing(Line(metric, survey), *rest) for metric, survey, *rest in rows]


async def close_minutes(connection: AsyncConnection, line: Line, minute: int) -> None:
    """Let no more evidence into minutes up to this one; waits for batches that are under way."""
    async with connection.begin():
        await connection.execute(_WAIT, {"key": CLOSING})
        await connection.execute(_CLOSE, _at(line, minute=minute))


async def read_chunk(
    connection: AsyncConnection, standing: Standing, most: int = _ROWS_A_CHUNK
) -> tuple[int, dict[int, list[LeafTick]]]:
    """The next closed minutes, each whole, and the minute up to which that is everything."""
    values = _at(standing.line, first=standing.judged_to, last=standing.closed_to)
    bound, number = (await connection.execute(_BOUND, values | {"most": most})).one()
    if number == 0:
        return standing.closed_to, {}
    minutes: dict[int, list[LeafTick]] = {}
    for minute, *tick in await connection.execute(_CHUNK, values | {"last": bound}):
        minutes.setdefault(minute, []).append(LeafTick(*tick))
    return (standing.closed_to if number < most else bound), minutes


async def move(connection: AsyncConnection, standing: Standing, after: int) -> None:
    """Note that minutes up to `after` are judged. Raises Fenced."""
    values = _at(standing.line, before=standing.judged_to, after=after)
    if (await connection.execute(_MOVE, values)).rowcount != 1:
        raise Fenced


async def read_judged(connection: AsyncConnection) -> datetime | None:
    """Event time up to which alarms were looked for in every line, open minutes included."""
    at: datetime | None = (await connection.execute(_JUDGED)).scalar_one()
    return at


async def note_judged(connection: AsyncConnection, at: datetime) -> None:
    """Note up to when alarms were looked for."""
    async with connection.begin():
        await connection.execute(_NOTE, {"at": at})


async def newest_of(connection: AsyncConnection, line: Line) -> datetime | None:
    """The newest answer of a line."""
    at: datetime | None = (await connection.execute(_NEWEST, _at(line))).scalar_one()
    return at


def _at(line: Line, **values: int) -> dict[str, Any]:
    return {**line._asdict(), **values}


Standings = Sequence[Standing]
