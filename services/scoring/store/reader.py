"""Questions asked of the store, each answered in one snapshot."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring.domain.cells import VALUES_AT_MOST
from services.scoring.domain.questions import Question, Segment
from services.scoring.domain.sheets import Sheet
from services.scoring.domain.windows import Window
from services.scoring.metrics import QUESTIONS
from services.scoring.store.columns import Columns
from services.scoring.store.connections import driver_of
from services.scoring.store.groups import read_groups
from shared.errors import Unavailable
from shared.stream.verdict import judge


@dataclass(frozen=True)
class Reader:
    """Reads what is counted. Raises Unavailable while the database is away or too busy."""

    engine: AsyncEngine
    values_at_most: int = VALUES_AT_MOST
    columns: Columns | None = None

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection on which all statements see the same answers."""
        try:
            async with self.engine.connect() as plain:
                connection = await plain.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
                if self.columns is None:
                    yield await driver_of(connection)
                    return
                async with self.columns.seen_by(connection) as driver:
                    yield driver
        except Exception as error:
            if not judge(error).passes:
                raise
            raise Unavailable("the database is away or too busy; try again") from error

    async def groups(
        self,
        connection: asyncpg.Connection,
        question: Question,
        windows: Sequence[Window],
        only: Sequence[Segment] | None = None,
    ) -> Sheet:
        """All groups of a question, or only these, in windows that adjoin and rise.

        Out of the columns where they reach that far, else out of PostgreSQL.
        """
        if self.columns is not None:
            sheet = await self.columns.groups(connection, question, windows, only)
            if sheet is not None:
                QUESTIONS.labels("columns").inc()
                return sheet
        QUESTIONS.labels("database").inc()
        return await read_groups(
            connection, question, windows, only=only, values_at_most=self.values_at_most
        )
