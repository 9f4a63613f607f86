"""Everything that scoring writes to PostgreSQL and reads from it."""

from collections.abc import Collection, Sequence
from typing import Any, Self

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.scoring.domain.answers import Change, Truth
from services.scoring.domain.cells import VALUES_AT_MOST, Layout, add_places, before_and_after
from services.scoring.store import counts, ledger
from services.scoring.store.book import Book
from services.scoring.store.layout import all_answers, read_layout, write_layout
from services.scoring.store.values import value_counts

__all__ = ["Book", "SqlLedger", "adopt", "driver_of", "full_dimensions"]


async def driver_of(connection: AsyncConnection) -> asyncpg.Connection:
    """The asyncpg connection underneath, inside the transaction that SQLAlchemy began.

    Arrays of whole batches go through it at several times the speed.
    """
    raw: Any = await connection.get_raw_connection()
    if not raw.driver_connection.is_in_transaction():
        await connection.execute(sa.text("SELECT 1"))  # SQLAlchemy begins with its first statement
    return raw.driver_connection


class SqlLedger:
    """The ledger of one batch. Every call shares the caller's transaction.

    The layout is locked before the first answer, as `adopt` does, so the two never wait for one
    another in a circle.
    """

    def __init__(self, connection: asyncpg.Connection, book: Book, layout: Layout) -> None:
        self._connection = connection
        self._book = book
        self._layout = layout

    @classmethod
    async def begin(cls, connection: AsyncConnection, book: Book) -> Self:
        """Lock the layout for share and follow it."""
        driver = await driver_of(connection)
        return cls(driver, book, await read_layout(driver, "FOR SHARE"))

    async def record(self, truths: Sequence[Truth]) -> Sequence[Change]:
        """Store the truths and return what changed."""
        return await ledger.record(self._connection, truths)

    async def count(self, changes: Collection[Change]) -> None:
        """Take away what was and add what is: the batch's last statement."""
        await count_changes(self._connection, self._book, self._layout, changes)


async def count_changes(
    connection: asyncpg.Connection, book: Book, layout: Layout, changes: Collection[Change]
) -> None:
    """Add a batch of changes to the running counts."""
    parts = before_and_after(changes, layout.dimensions)
    before, after = await book.cap(connection, layout.dimensions, parts)
    cells = add_places(add_places({}, after, layout), before, layout, -1)
    changed = {cell: sums for cell, sums in cells.items() if any(sums)}
    numbers = await book.number(connection, {line for line, _ in changed})
    await counts.add(
        connection, {(numbers[line], hour): sums for (line, hour), sums in changed.items()}
    )


async def adopt(
    engine: AsyncEngine, layout: Layout, *, values_at_most: int = VALUES_AT_MOST
) -> bool:
    """Make `layout` the one that is counted by; recount if it is new. Says whether it was.

    A lock on the table stands in a queue; one on the row would be overtaken by batch after batch.
    """
    async with engine.begin() as connection:
        driver = await driver_of(connection)
        if _same(await read_layout(driver), layout):
            return False
        await driver.execute("LOCK TABLE layout IN EXCLUSIVE MODE")
        if _same(await read_layout(driver), layout):
            return False
        await write_layout(driver, layout)
        book = Book(values_at_most=values_at_most)  # a shared one would remember what may abort
        async for changes in all_answers(driver):
            await count_changes(driver, book, layout, changes)
        return True


def _same(left: Layout, right: Layout) -> bool:
    return left == right and list(left.paths) == list(right.paths)


async def full_dimensions(engine: AsyncEngine, at_most: int) -> list[str]:
    """Dimensions that have no room for a further value."""
    async with engine.connect() as connection:
        sizes = await value_counts(await driver_of(connection))
    return sorted(name for name, size in sizes.items() if size >= at_most)
