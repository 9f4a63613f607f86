"""Everything that scoring writes to PostgreSQL and reads from it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Self

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.scoring.domain.answers import Change, Truth
from services.scoring.domain.cells import VALUES_AT_MOST, Layout, before_and_after, cells_of
from services.scoring.domain.decisions import Decision, Turn
from services.scoring.domain.funnel import before_and_after as steps_before_and_after
from services.scoring.domain.funnel import steps_of
from services.scoring.domain.tallies import Places
from services.scoring.store import counts, funnel, ledger
from services.scoring.store.book import Book
from services.scoring.store.columns.touched import note_all, note_touched
from services.scoring.store.connections import driver_of
from services.scoring.store.decisions import all_decisions, record_decisions
from services.scoring.store.layout import all_answers, read_layout, write_layout
from services.scoring.store.values import value_counts

__all__ = ["Book", "SqlLedger", "adopt", "driver_of", "full_dimensions"]


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

    async def decide(self, decisions: Sequence[Decision]) -> Sequence[Turn]:
        """Store the decisions and return what changed."""
        return await record_decisions(self._connection, decisions)

    async def count(self, changes: Collection[Change], turns: Collection[Turn] = ()) -> None:
        """Take away what was and add what is: the batch's last statements."""
        layout = self._layout
        await note_touched(self._connection, changes)
        await count_changes(self._connection, self._book, layout, (changes, turns), layout.slices)


async def count_changes(
    connection: asyncpg.Connection,
    book: Book,
    layout: Layout,
    news: tuple[Collection[Change], Collection[Turn]],
    slices: Mapping[str, tuple[int, ...]],
) -> None:
    """Add a batch of changes to the running counts, and to the funnel of `slices`.

    Together, one table after the other: two batches never wait for one another in a circle.
    """
    parts: list[Places[Any]] = [
        *before_and_after(news[0], layout.dimensions),
        *steps_before_and_after(*news, layout.dimensions),
    ]
    before, after, left, come = await book.cap(connection, layout.dimensions, parts)
    changed, moved = cells_of(before, after, layout), steps_of(left, come, slices)
    lines = {line for line, _ in changed} | {line for line, _, _ in moved}
    numbers = await book.number(connection, lines)
    await counts.add(
        connection, {(numbers[line], hour): sums for (line, hour), sums in changed.items()}
    )
    await funnel.add(
        connection, {(numbers[line], hour, step): n for (line, hour, step), n in moved.items()}
    )


async def adopt(
    engine: AsyncEngine, layout: Layout, *, values_at_most: int = VALUES_AT_MOST
) -> bool:
    """Make `layout` the one that is counted by; recount if it is new. Says whether it was.

    A lock on the table stands in a queue; one on the row would be overtaken by batch after batch.
    """
    async with engine.begin() as connection:
        driver = await driver_of(connection)
        if await _in_force(driver, layout):
            return False
        await driver.execute("LOCK TABLE layout IN EXCLUSIVE MODE")
        if await _in_force(driver, layout):
            return False
        fresh = await funnel.forget(driver, await read_layout(driver), layout)
        await write_layout(driver, layout)
        await note_all(driver)
        book = Book(values_at_most=values_at_most)  # a shared one would remember what may abort
        async for changes in all_answers(driver):
            await count_changes(driver, book, layout, (changes, ()), fresh)
        if fresh:
            async for turns in all_decisions(driver):
                await count_changes(driver, book, layout, ((), turns), fresh)
        return True


async def _in_force(connection: asyncpg.Connection, layout: Layout) -> bool:
    known = await read_layout(connection)
    same = known == layout and list(known.paths) == list(layout.paths)
    return same and await funnel.is_counted(connection)


async def full_dimensions(engine: AsyncEngine, at_most: int) -> list[str]:
    """Dimensions that have no room for a further value."""
    async with engine.connect() as connection:
        sizes = await value_counts(await driver_of(connection))
    return sorted(name for name, size in sizes.items() if size >= at_most)
