"""The columns' keeper: fills them, newest first, and keeps them in step while nobody asks."""

import asyncio
import time
from contextlib import suppress
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring.store.columns import Columns
from services.scoring.store.columns.touched import forget_touched
from services.scoring.store.connections import driver_of
from services.scoring.store.reader import Reader
from shared.stream.verdict import judge

_log = structlog.get_logger()
_EVERY_S: Final = 1.0
_FORGET_S: Final = 60.0
_DUE_S: Final = 60.0  # from one asking whether days are to be kept to the next
_KEEP_S: Final = 1_200.0  # rare, for days are written whole; the mark's life is 1,800 s


async def keep_columns(reader: Reader, stop: asyncio.Event) -> None:
    """Tend the columns until the end, whatever the weather; every minute old notes go.

    While they are filled it rests as long as it works: others ask and count meanwhile. The first
    notes go a minute after the start: until then it is known what was touched since the last one.
    """
    forgot = kept = time.monotonic()
    while not stop.is_set():
        began = time.monotonic()
        rest = _EVERY_S
        try:
            if began - forgot > _FORGET_S:
                forgot = began
                await _forget(reader.engine)
            if reader.columns is not None:
                if await tend(reader.engine, reader.columns):
                    rest = time.monotonic() - began
                elif began - kept > _DUE_S:
                    kept = began
                    await keep(reader.engine, reader.columns, time.time_ns() // 1000)
        except Exception as error:
            if not judge(error).passes:
                raise
            _log.warning("columns wait for the database", error=str(error)[:300])
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), rest)


async def tend(engine: AsyncEngine, columns: Columns) -> bool:
    """Bring the columns up to date and hold one chunk more; say whether there is more."""
    async with engine.connect() as plain:
        connection = await plain.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        more = await columns.tend(connection)
    if not more:
        columns.filled.set()
    return more


async def keep(engine: AsyncEngine, columns: Columns, now: int, every_s: float = _KEEP_S) -> int:
    """Keep whole days for the next start, unless some process did; return how many it wrote.

    `now` in microseconds since 1970.
    """
    async with engine.connect() as plain:
        connection = await plain.execution_options(isolation_level="REPEATABLE READ")
        async with connection.begin():
            return await columns.keep(connection, now, every_s)


async def _forget(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await forget_touched(await driver_of(connection))
