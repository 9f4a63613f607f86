"""What every question needs: the database, the programme's dimensions, the clock, the lag."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring.domain.cells import VALUES_AT_MOST
from services.scoring.domain.scores import SUFFICIENT
from services.scoring.store import driver_of
from shared.errors import Unavailable
from shared.stream.verdict import judge


@dataclass(frozen=True)
class Reading:
    """How questions are answered. `behind` says by how many seconds the consumer is behind."""

    engine: AsyncEngine
    dimensions: Mapping[str, str | None]
    timezone: str
    now: Callable[[], datetime]
    behind: Callable[[], float]
    sufficient: int = SUFFICIENT
    values_at_most: int = VALUES_AT_MOST

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection on which all statements see the same answers. Raises Unavailable."""
        try:
            async with self.engine.connect() as plain:
                connection = await plain.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
                yield await driver_of(connection)
        except Exception as error:
            if not judge(error).passes:
                raise
            raise Unavailable("the database is away or too busy; try again") from error
