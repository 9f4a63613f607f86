"""2,000 rows upserted in one transaction, five ways, on the same connection pool.

orm         SQLAlchemy's ORM: one object a row, flushed together (it knows no upsert)
core        SQLAlchemy Core: one `INSERT ... ON CONFLICT DO UPDATE`, executed for many
executemany asyncpg's own, the same statement
arrays      asyncpg: a column an array, `unnest` in one statement
copy        asyncpg: COPY into a temporary table, then one statement (what scoring does)
"""

import json
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from benchmarks.figures import Cell, Figures, Table
from benchmarks.servers import Servers
from services.scoring.store import driver_of
from shared.db import open_engine

ROWS: Final = 2_000
COLUMNS: Final = ("id", "answered_at", "survey", "metric", "score", "segments", "comment")
TYPES: Final = ("text", "timestamptz", "text", "text", "smallint", "text", "text")
_NAMES: Final = ", ".join(COLUMNS)
_READ: Final = _NAMES.replace("segments", "segments::jsonb")
_NEWER: Final = (
    " ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in COLUMNS[1:])
    + " WHERE excluded.answered_at > a.answered_at"
)
_INTO: Final = f"INSERT INTO written AS a ({_NAMES})"
_EACH: Final = f"{_INTO} VALUES ({', '.join(f'${n + 1}' for n in range(len(COLUMNS)))}){_NEWER}"
_ARRAYS: Final = (
    f"{_INTO} SELECT {_READ} FROM unnest("
    + ", ".join(f"${n}::{t}[]" for n, t in enumerate(TYPES, 1))
    + f") AS b({_NAMES}){_NEWER}"
)
_INCOMING: Final = (
    "CREATE TEMP TABLE IF NOT EXISTS brought ("
    + ", ".join(f"{name} {kind}" for name, kind in zip(COLUMNS, TYPES, strict=True))
    + ") ON COMMIT DELETE ROWS"
)
_FROM: Final = f"{_INTO} SELECT {_READ} FROM brought{_NEWER}"

Row = tuple[Any, ...]


class _Tables(DeclarativeBase):
    pass


class Written(_Tables):
    """One row, as somebody would model it."""

    __tablename__ = "written"
    id: Mapped[str] = mapped_column(primary_key=True)
    answered_at: Mapped[datetime] = mapped_column(sa.TIMESTAMP(timezone=True))
    survey: Mapped[str]
    metric: Mapped[str]
    score: Mapped[int] = mapped_column(sa.SmallInteger)
    segments: Mapped[dict[str, str]] = mapped_column(JSONB)
    comment: Mapped[str | None]


_numbers = count()


def rows() -> list[Row]:
    """Rows with ids that nobody had before."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    text = '{"region":"EU","product":"shoes","channel":"web","store":"s-17"}'
    return [
        (f"r-{number:012}", at + timedelta(seconds=number), "post-call", "nps", 7, text, "It came.")
        for number in (next(_numbers) for _ in range(ROWS))
    ]


def of_model(row: Row) -> dict[str, Any]:
    """As SQLAlchemy takes it: segments are no text, it writes them as JSON itself."""
    found = dict(zip(COLUMNS, row, strict=True))
    return found | {"segments": json.loads(found["segments"])}


async def orm(connection: AsyncConnection, given: Sequence[Row]) -> None:
    async with AsyncSession(connection) as session:
        session.add_all(Written(**of_model(row)) for row in given)
        await session.flush()


async def core(connection: AsyncConnection, given: Sequence[Row]) -> None:
    statement = insert(Written)
    changed = {name: statement.excluded[name] for name in COLUMNS[1:]}
    newer = statement.excluded["answered_at"] > Written.answered_at
    upsert = statement.on_conflict_do_update(index_elements=["id"], set_=changed, where=newer)
    await connection.execute(upsert, [of_model(row) for row in given])


async def executemany(connection: AsyncConnection, given: Sequence[Row]) -> None:
    await (await driver_of(connection)).executemany(_EACH, given)


async def arrays(connection: AsyncConnection, given: Sequence[Row]) -> None:
    await (await driver_of(connection)).execute(_ARRAYS, *zip(*given, strict=True))


async def copy(connection: AsyncConnection, given: Sequence[Row]) -> None:
    driver = await driver_of(connection)
    await driver.execute(_INCOMING)
    await driver.copy_records_to_table("brought", records=given, columns=COLUMNS)
    await driver.execute(_FROM)


WAYS: Final[Sequence[Callable[[AsyncConnection, Sequence[Row]], Awaitable[None]]]] = (
    orm,
    core,
    executemany,
    arrays,
    copy,
)


async def measure(figures: Figures, at: Servers, seconds: float) -> None:
    """Each way its turn, for so many seconds in all; medians of a batch."""
    own: dict[str, list[float]] = {way.__name__: [] for way in WAYS}
    whole: dict[str, list[float]] = {way.__name__: [] for way in WAYS}
    async with open_engine(at.database_url, schema="public") as engine:
        async with engine.begin() as connection:
            await connection.run_sync(_Tables.metadata.create_all)
        ends = time.monotonic() + seconds * len(WAYS)
        while time.monotonic() < ends or not own["copy"]:
            for way in WAYS:
                given = rows()
                async with engine.begin() as connection:
                    began, core_began = time.perf_counter(), time.process_time()
                    await way(connection, given)
                    own[way.__name__].append(time.process_time() - core_began)
                    whole[way.__name__].append(time.perf_counter() - began)
    lines: list[Sequence[Cell]] = []
    for name in own:
        us, wall = (statistics.median(times[name]) / ROWS * 1e6 for times in (own, whole))
        best = statistics.median(own["copy"]) / ROWS * 1e6
        lines.append((name, us, wall, us / best))
    figures.add(
        Table(
            "writes",
            f"{ROWS:,} rows upserted in one transaction",
            ("way", "own us a row", "us a row with PostgreSQL", "own, copy = 1"),
            lines,
        )
    )
