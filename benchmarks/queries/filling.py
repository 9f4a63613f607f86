"""Answers by the million in scoring's tables, as scoring would have written and counted them."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg
import numpy as np
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.queries.drawing import (
    DAY,
    KINDS,
    SURVEYS,
    Counted,
    Drawn,
    Sizes,
    count,
    draw,
    layout_of,
)
from services.scoring.domain.cells import WIDTH, Line
from services.scoring.store import adopt
from services.scoring.store.connections import driver_of
from services.scoring.tables import SUMS

_TABLES: Final = ("answers", "counts", "series", "dimension_values", "touched", "days")
_PATIENCE_S: Final = 1_200.0
_AT_ONCE: Final = 20_000  # rows
_INDEXES: Final = """
    SELECT indexname, indexdef, indexdef LIKE 'CREATE UNIQUE%' FROM pg_indexes
    WHERE schemaname = current_schema() AND tablename = ANY($1)
"""
_REPLY: Final = (
    "answered_at",
    "digest",
    "invited",
    "survey",
    "metric",
    "scale",
    "score",
    "segments",
    "reasons",
    "channel",
    "received_at",
)
_ASKING: Final = (
    "revision",
    "status",
    "asked_survey",
    "kind",
    "asked_metric",
    "asked_scale",
    "asked_segments",
    "event_at",
    "invited_at",
)


async def fill(engine: AsyncEngine, answers: int, sizes: Sizes) -> None:
    """Empty the tables, then put in answers over the last 60 days, and count them."""
    layout = layout_of(sizes)
    await adopt(engine, layout)
    drawn = draw(answers, sizes, int(datetime.now(UTC).timestamp() * 1_000_000))
    counted = {name: count(drawn, sizes, places) for name, places in layout.slices.items()}
    async with engine.begin() as connection:
        driver = await driver_of(connection)
        for bound in ("statement_timeout", "idle_in_transaction_session_timeout"):
            await driver.execute(f"SET LOCAL {bound} = 0")
        await driver.execute("SET LOCAL maintenance_work_mem = '512MB'")
        await driver.execute(f"TRUNCATE {', '.join(_TABLES)}")
        indexes = await _without_indexes(driver)
        await driver.copy_to_table(
            "answers",
            source=_answers(drawn, sizes),
            columns=("id", *_REPLY, *_ASKING),
            timeout=_PATIENCE_S,
        )
        values = [(name, f"{name} {n}") for name, size in sizes.items() for n in range(size)]
        await driver.copy_records_to_table("dimension_values", records=values)
        await _count(driver, counted, sizes)
        for statement in indexes:
            await driver.execute(statement, timeout=_PATIENCE_S)
    async with engine.connect() as connection:
        free = await connection.execution_options(isolation_level="AUTOCOMMIT")
        driver = await driver_of(free)
        await driver.execute("SET statement_timeout = 0")
        await driver.execute(f"VACUUM ANALYZE {', '.join(_TABLES)}", timeout=_PATIENCE_S)
        await driver.execute("RESET statement_timeout")


async def _without_indexes(driver: asyncpg.Connection) -> list[str]:
    """Drop the indexes of the large tables; return what makes them again."""
    again = []
    for name, made_by, unique in await driver.fetch(_INDEXES, ["answers", "counts"]):
        if unique:
            table, columns = name.removesuffix("_pkey"), made_by[made_by.index("(") :]
            await driver.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
            again.append(f"ALTER TABLE {table} ADD PRIMARY KEY {columns}")
        else:
            await driver.execute(f"DROP INDEX {name}")
            again.append(made_by)
    return again


async def _answers(drawn: Drawn, sizes: Sizes) -> AsyncIterator[bytes]:
    names = [[f'"{name}": "{name} {n}"' for n in range(size)] for name, size in sizes.items()]
    dimensions = [np.array(found, object) for found in names]
    for first in range(0, len(drawn), _AT_ONCE):
        rows = slice(first, first + _AT_ONCE)
        columns = [
            found[codes[rows]].tolist()
            for found, codes in zip(dimensions, drawn.values, strict=True)
        ]
        segments = [f"{{{', '.join(values)}}}" for values in zip(*columns, strict=True)]
        yield "".join(_lines(drawn, rows, segments)).encode()


def _lines(drawn: Drawn, rows: slice, segments: Sequence[str]) -> list[str]:
    lines = []
    at = drawn.at[rows]
    moments = zip(_moments(at), _moments(at - DAY), _moments(at - 2 * DAY), strict=True)
    flags = zip(drawn.replied[rows].tolist(), drawn.asked[rows].tolist(), strict=True)
    codes = zip(
        *(one[rows].tolist() for one in (drawn.kind, drawn.survey, drawn.score)), strict=True
    )
    number = rows.start
    reply, asking = ("\t".join(["\\N"] * len(side)) for side in (_REPLY, _ASKING))
    for text, (replied, asked), (kind, survey, score), when in zip(
        segments, flags, codes, moments, strict=True
    ):
        metric, lowest, scale = KINDS[kind]
        line = [f"r-{number:09}", reply, asking]
        number += 1
        if replied:
            line[1] = (
                f"{when[0]}\td\t{'t' if asked else 'f'}\t{SURVEYS[survey]}\t{metric}\t{scale}\t"
                f"{score + lowest}\t{text}\t[]\tweb\t{when[0]}"
            )
        if asked:
            sent, happened = (when[1], when[2]) if replied else (when[0], when[1])
            line[2] = (
                f"1\tsent\t{SURVEYS[survey]}\ttransactional\t{metric}\t{scale}\t{text}\t"
                f"{happened}\t{sent}"
            )
        lines.append("\t".join(line) + "\n")
    return lines


def _moments(ticks: Any) -> list[str]:
    return [f"{text}Z" for text in np.datetime_as_string(ticks.astype("M8[us]")).tolist()]


async def _count(driver: asyncpg.Connection, counted: dict[str, Counted], sizes: Sizes) -> None:
    """Store series and counts; counts in rising hours, as they come."""
    parts = []
    for name, found in counted.items():
        lines = [_line(name, codes) for codes in found.codes.tolist()]
        records = [(line.number, *line[:4], list(line.values)) for line in lines]
        await driver.copy_records_to_table("series", records=records)
        numbers = np.array([line.number for line in lines], np.int64)
        parts.append(_rows(numbers[found.series], found.hour, found.sums))
    rows = np.concatenate(parts)  # in this machine's order of bytes
    rows = rows[np.argsort(rows["hour"], kind="stable")].astype(parts[0].dtype)

    async def source() -> AsyncIterator[bytes]:
        yield b"PGCOPY\n\xff\r\n\x00" + bytes(8)
        for first in range(0, len(rows), _AT_ONCE):
            yield rows[first : first + _AT_ONCE].tobytes()
        yield b"\xff\xff"

    await driver.copy_to_table("counts", source=source(), format="binary", timeout=_PATIENCE_S)


def _line(name: str, codes: list[int]) -> Line:
    metric, _, scale = KINDS[codes[0]]
    named = zip(name.split(","), codes[2:], strict=False)
    values = tuple(f"{dimension} {code}" for dimension, code in named)
    return Line(metric, scale, SURVEYS[codes[1]], name, values)


def _rows(series: Any, hour: Any, sums: Any) -> Any:
    """Rows as a binary COPY has them."""
    form: list[tuple[str, str]] = [("fields", ">i2")]
    for name, kind in (("series", ">i8"), ("hour", ">i4"), *((name, ">i4") for name in SUMS)):
        form += [(f"{name} width", ">i4"), (name, kind)]
    rows = np.empty(len(series), form)
    rows["fields"], rows["series width"], rows["series"] = WIDTH + 2, 8, series
    rows["hour width"], rows["hour"] = 4, hour
    for place, name in enumerate(SUMS):
        rows[f"{name} width"], rows[name] = 4, sums[:, place]
    return rows
