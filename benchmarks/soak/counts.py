"""Compared per id, and every cell counted anew in SQL: not one line of the project's counting."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from benchmarks.soak.emitters import ACKED, TRIED, Emitter, Traffic
from benchmarks.soak.stage import DIMENSIONS, Stage
from tests.support.calls import SOURCE
from tests.support.evidence import UNLIKE
from tests.support.tally import connect

_PLACES = ("p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "invited", "answered")
_HOUR = "floor(extract(epoch FROM {}) / 3600)::int"
_ANSWERED = (
    "SELECT metric, scale, coalesce(survey, '') AS survey, segments,"
    f" {_HOUR.format('answered_at')} AS hour, score::int AS place FROM scoring.scored"
)
_ASKED = (
    "SELECT asked_metric, asked_scale, asked_survey, asked_segments,"
    f" {_HOUR.format('invited_at')}, {{}} FROM scoring.answers WHERE status = 'sent'"
)
_SPOTS = " UNION ALL ".join(
    (
        _ANSWERED,
        _ASKED.format(11),
        _ASKED.format(12) + " AND answered_at IS NOT NULL",
    )
)


def _slice(names: Sequence[str]) -> str:
    values = ", ".join(f"segments ->> '{name}'" for name in names)
    sums = ", ".join(f"count(*) FILTER (WHERE place = {n}) AS {p}" for n, p in enumerate(_PLACES))
    present = " AND ".join(f"segments ? '{name}'" for name in names) or "true"
    return (
        f"SELECT '{','.join(names)}' AS slice, ARRAY[{values}]::text[] AS values,"
        f" metric, scale, survey, hour, {sums} FROM spots WHERE {present} GROUP BY 1, 2, 3, 4, 5, 6"
    )


def _row(table: str) -> str:
    return ", ".join(f"coalesce({table}.{name}, 0)" for name in _PLACES)


_CELLS = f"""
    WITH spots AS ({_SPOTS}),
    truth AS ({" UNION ALL ".join(map(_slice, ((), *((name,) for name in DIMENSIONS))))}),
    counted AS (
        SELECT s.slice, s.values, s.metric, s.scale, s.survey, c.hour, {", ".join(_PLACES)}
        FROM scoring.counts c JOIN scoring.series s ON s.id = c.series
    )
    SELECT count(*), count(*) FILTER (WHERE ({_row("t")}) <> ({_row("c")}))
    FROM truth t FULL JOIN counted c USING (slice, values, metric, scale, survey, hour)
"""
_ANSWERS = "SELECT id FROM scoring.answers WHERE answered_at IS NOT NULL AND id LIKE 'r-%'"
_EVIDENCE = "SELECT id FROM alerts.counted"
_DECIDED = f"SELECT event_id FROM trigger.decisions WHERE source = '{SOURCE}'"
_INVITED = f"SELECT event_id FROM trigger.invitations WHERE source = '{SOURCE}' AND status = 'sent'"
_ALERTS = "SELECT state, body ->> 'segment' FROM alerts.alerts ORDER BY opened_at"


@dataclass(frozen=True)
class Compared:
    """One service's ids against what was acknowledged."""

    name: str
    acked: int
    lost: int
    double: int
    strange: int

    @property
    def exact(self) -> bool:
        return not (self.lost or self.double or self.strange)

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.acked} acknowledged, {self.lost} lost, {self.double} double,"
            f" {self.strange} strange"
        )


async def compare(connection: asyncpg.Connection, name: str, query: str, sent: Emitter) -> Compared:
    """A byte per id, however many there are."""
    seen = bytearray(len(sent.flags))
    strange = double = 0
    async with connection.transaction():
        async for (text,) in connection.cursor(query, prefetch=20_000):
            number = int(text[2:])
            if number >= len(seen) or not sent.flags[number] & TRIED:
                strange += 1
            elif seen[number]:
                double += 1
            else:
                seen[number] = 1
    pairs = zip(sent.flags, seen, strict=True)
    lost = sum(1 for flag, there in pairs if flag & ACKED and not there)
    return Compared(name, sent.acked, lost, double, strange)


@dataclass(frozen=True)
class Result:
    """What the services made of it all."""

    services: Sequence[Compared]
    cells: int
    cells_unlike: int
    evidence_unlike: int
    mails: Compared
    alerts: Sequence[tuple[str, str]]

    @property
    def exact(self) -> bool:
        compared = (*self.services, self.mails)
        return all(one.exact for one in compared) and not (
            self.cells_unlike or self.evidence_unlike
        )


async def look(stage: Stage, traffic: Traffic) -> Result:
    """Once everything is settled."""
    connection = await connect(stage.fleet.database_url)
    try:
        cells, unlike = await connection.fetchrow(_CELLS)
        return Result(
            services=[
                await compare(connection, "scoring", _ANSWERS, traffic.answers),
                await compare(connection, "alerts", _EVIDENCE, traffic.answers),
                await compare(connection, "trigger decided", _DECIDED, traffic.calls),
                await compare(connection, "trigger invited", _INVITED, traffic.calls),
            ],
            cells=cells,
            cells_unlike=unlike,
            evidence_unlike=int(await connection.fetchval(UNLIKE)),
            mails=await _mails(connection, stage, traffic.calls),
            alerts=[tuple(row) for row in await connection.fetch(_ALERTS)],
        )
    finally:
        await connection.close()


async def _mails(connection: asyncpg.Connection, stage: Stage, sent: Emitter) -> Compared:
    """A mail for each call; one written twice has the same name."""
    calls = dict(await connection.fetch("SELECT id, event_id FROM trigger.invitations"))
    names = {path.stem for path in (stage.fleet.var / "mail").glob("*.eml")}
    there = {int(calls[name].removeprefix("e-")) for name in names if name in calls}
    lost = sum(1 for n, flag in enumerate(sent.flags) if flag & ACKED and n not in there)
    return Compared("mailed", sent.acked, lost, 0, len(names - calls.keys()))
