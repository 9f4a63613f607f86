"""Answers by the million, put in by SQL and counted by SQL: the same tables as scoring writes."""

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring.domain.cells import POINTS, Layout, Line
from services.scoring.store import adopt
from services.scoring.store.connections import driver_of

PAIRS = (("product", "region"),)
DAYS = 60  # a window of 30 days and the one before
NPS, CSAT = 0.7, 0.2  # the rest is CES
INVITED = 0.3  # of all answers; as many invitations have no answer

Sizes = dict[str, int]


def sizes_of(segments: int) -> Sizes:
    """How many values each dimension has, so that two pairs of them are `segments` groups."""
    few = max(2, min(10, segments // 5))
    return {
        "region": few,
        "product": max(1, segments // few),
        "shop": max(1, segments // 50) if segments >= 500 else few,
        "country": 50 if segments >= 500 else max(1, segments // few),
        "channel": 5,
        "queue": 20,
        "agent": 500,
        "tier": 3,
    }


def layout_of(sizes: Sizes) -> Layout:
    """Eight dimensions, one pair."""
    return Layout(dict.fromkeys(sizes), PAIRS)


async def fill(engine: AsyncEngine, answers: int, sizes: Sizes) -> None:
    """Empty the tables, then put in answers over the last 60 days, and count them."""
    layout = layout_of(sizes)
    await adopt(engine, layout)
    async with engine.begin() as connection:
        driver = await driver_of(connection)
        await driver.execute("SET LOCAL statement_timeout = 0")
        for table in ("answers", "counts", "series", "dimension_values", "touched"):
            await driver.execute(f"TRUNCATE {table}")
        await driver.execute("SELECT setseed(0.5)", timeout=None)
        await driver.execute(_answers(answers, sizes), timeout=3600)
        await driver.execute(_silence(int(answers * INVITED), sizes), timeout=3600)
        await driver.execute(_entries(layout), timeout=3600)
        await _count(driver, layout)
    async with engine.connect() as connection:
        free = await connection.execution_options(isolation_level="AUTOCOMMIT")
        for table in ("answers", "counts", "series", "dimension_values"):
            await free.exec_driver_sql(f"VACUUM ANALYZE {table}")


def _drawn(sizes: Sizes) -> str:
    values = ", ".join(
        f"'{name}', '{name} ' || floor(random() * {size})::int" for name, size in sizes.items()
    )
    return (
        f"now() - random() * interval '{DAYS} days' AS at, random() AS u, random() AS v,"
        f" 'survey ' || floor(random() * 3)::int AS survey, jsonb_build_object({values}) AS s"
    )


_METRIC = f"CASE WHEN u < {NPS} THEN 'nps' WHEN u < {NPS + CSAT} THEN 'csat' ELSE 'ces' END"
_SCALE = f"CASE WHEN u < {NPS} THEN 10 WHEN u < {NPS + CSAT} THEN 5 ELSE 7 END"
_SCORE = (
    f"CASE WHEN u < {NPS} THEN floor(11 * sqrt(random()))"
    f" WHEN u < {NPS + CSAT} THEN 1 + floor(5 * random()) ELSE 1 + floor(7 * random()) END"
)


def _answers(count: int, sizes: Sizes) -> str:
    asked = f"CASE WHEN v < {INVITED} THEN"
    return f"""
        INSERT INTO answers (id, answered_at, digest, invited, survey, metric, scale, score,
            segments, reasons, channel, received_at, revision, status, asked_survey, kind,
            asked_metric, asked_scale, asked_segments, event_at, invited_at)
        SELECT 'r-' || n, at, 'd', v < {INVITED}, survey, {_METRIC}, {_SCALE}, {_SCORE},
            s, '[]', 'web', at, {asked} 1 END, {asked} 'sent' END, {asked} survey END,
            {asked} 'transactional' END, {asked} {_METRIC} END, {asked} {_SCALE} END,
            {asked} s END, {asked} at - interval '2 days' END, {asked} at - interval '1 day' END
        FROM (SELECT n, {_drawn(sizes)} FROM generate_series(1, {count}) AS n) AS drawn
    """


def _silence(count: int, sizes: Sizes) -> str:
    return f"""
        INSERT INTO answers (id, revision, status, asked_survey, kind, asked_metric, asked_scale,
            asked_segments, event_at, invited_at)
        SELECT 'i-' || n, 1, 'sent', survey, 'transactional', {_METRIC}, {_SCALE},
            s, at - interval '1 hour', at
        FROM (SELECT n, {_drawn(sizes)} FROM generate_series(1, {count}) AS n) AS drawn
    """


def _entries(layout: Layout) -> str:
    values = ", ".join(f"s ->> '{name}' AS \"{name}\"" for name in layout.dimensions)
    points = ", ".join(
        f"(NOT asked AND score - least(1, 10 - scale) = {point})::int AS p{point}"
        for point in range(POINTS)
    )
    return f"""
        CREATE TEMP TABLE entries ON COMMIT DROP AS SELECT
            metric, scale, survey, floor(extract(epoch FROM at) / 3600)::int AS hour, {values},
            {points}, asked::int AS invited, (asked AND answered)::int AS answered
        FROM (
            SELECT false AS asked, true AS answered, metric, scale, survey, score,
                answered_at AS at, segments AS s FROM answers WHERE answered_at IS NOT NULL
            UNION ALL
            SELECT true, answered_at IS NOT NULL, asked_metric, asked_scale, asked_survey, 0,
                invited_at, asked_segments FROM answers WHERE invited_at IS NOT NULL
        ) AS e
    """


async def _count(driver: asyncpg.Connection, layout: Layout) -> None:
    names = [*(f"p{point}" for point in range(POINTS)), "invited", "answered"]
    for name in layout.dimensions:
        await driver.execute(
            f"INSERT INTO dimension_values SELECT DISTINCT '{name}', \"{name}\" FROM entries",
            timeout=3600,
        )
    for slice_name, positions in layout.slices.items():
        columns = [f'"{layout.dimensions[place]}"' for place in positions]
        values = f"ARRAY[{', '.join(columns)}]::text[]"
        found = await driver.fetch(
            f"SELECT DISTINCT metric, scale, survey, {values} FROM entries",
            timeout=3600,
        )
        lines = [Line(row[0], row[1], row[2], slice_name, tuple(row[3])) for row in found]
        records = [(line.number, *line[:4], list(line.values)) for line in lines]
        await driver.copy_records_to_table("series", records=records)
        summed = ", ".join(f"sum({name})::int AS {name}" for name in names)
        await driver.execute(
            f"""
            INSERT INTO counts SELECT s.id, c.hour, {", ".join(f"c.{name}" for name in names)}
            FROM (SELECT metric, scale, survey, {values} AS v, hour, {summed} FROM entries
                GROUP BY 1, 2, 3, 4, 5) AS c
            JOIN series s ON s.slice = '{slice_name}' AND s.metric = c.metric
                AND s.scale = c.scale AND s.survey = c.survey AND s."values" = c.v
            """,
            timeout=3600,
        )
