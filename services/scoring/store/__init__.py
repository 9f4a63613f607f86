"""Everything that scoring writes to PostgreSQL and reads from it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.scoring.domain.answers import Change, Truth
from services.scoring.domain.cells import (
    VALUES_AT_MOST,
    Cell,
    Layout,
    before_and_after,
    cells_of,
)
from services.scoring.domain.decisions import Decision, Turn
from services.scoring.domain.funnel import Cell as Step
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

News = tuple[Collection[Change], Collection[Turn]]

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
        self._foreseen: tuple[int, Reckoned] | None = None

    @classmethod
    async def begin(cls, connection: AsyncConnection, book: Book) -> Self:
        """Lock the layout for share and follow it."""
        driver = await driver_of(connection)
        return cls(driver, book, await read_layout(driver, "FOR SHARE"))

    async def record(self, truths: Sequence[Truth]) -> Sequence[Change]:
        """Store the truths and return what changed."""
        return await ledger.record(self._connection, truths)

    def foresee(self, truths: Sequence[Truth]) -> None:
        """Reckon in advance what they add if all are new, unless a value has to be admitted."""
        self._foreseen = None
        news = [Change(None, truth) for truth in truths]
        parts = _parts((news, ()), self._layout)
        if self._book.knows(self._layout.dimensions, parts):
            self._foreseen = len(truths), _reckon(parts, self._layout, self._layout.slices)

    async def decide(self, decisions: Sequence[Decision]) -> Sequence[Turn]:
        """Store the decisions and return what changed."""
        return await record_decisions(self._connection, decisions)

    async def count(self, changes: Collection[Change], turns: Collection[Turn] = ()) -> None:
        """Take away what was and add what is: the batch's last statements."""
        layout, foreseen = self._layout, self._foreseen
        await note_touched(self._connection, changes)
        if foreseen is not None and not turns and _all_new(changes, foreseen[0]):
            await _add(self._connection, self._book, foreseen[1])
        else:
            news = changes, turns
            await count_changes(self._connection, self._book, layout, news, layout.slices)


@dataclass(frozen=True)
class Reckoned:
    """What is to be added: to the running counts, and to the funnel."""

    cells: Mapping[Cell, list[int]]
    steps: Mapping[Step, int]


async def count_changes(
    connection: asyncpg.Connection,
    book: Book,
    layout: Layout,
    news: News,
    slices: Mapping[str, tuple[int, ...]],
) -> None:
    """Add a batch of changes to the running counts, and to the funnel of `slices`.

    Together, one table after the other: two batches never wait for one another in a circle.
    """
    parts = await book.cap(connection, layout.dimensions, _parts(news, layout))
    await _add(connection, book, _reckon(parts, layout, slices))


def _parts(news: News, layout: Layout) -> list[Places[Any]]:
    """Where what changed counted and where it counts: in the running counts, then in the funnel."""
    return [
        *before_and_after(news[0], layout.dimensions),
        *steps_before_and_after(*news, layout.dimensions),
    ]


def _reckon(
    parts: Sequence[Places[Any]], layout: Layout, slices: Mapping[str, tuple[int, ...]]
) -> Reckoned:
    before, after, left, come = parts
    return Reckoned(cells_of(before, after, layout), steps_of(left, come, slices))


async def _add(connection: asyncpg.Connection, book: Book, reckoned: Reckoned) -> None:
    cells, steps = reckoned.cells, reckoned.steps
    lines = {line for line, _ in cells} | {line for line, _, _ in steps}
    numbers = await book.number(connection, lines)
    await counts.add(
        connection, {(numbers[line], hour): sums for (line, hour), sums in cells.items()}
    )
    await funnel.add(
        connection, {(numbers[line], hour, step): n for (line, hour, step), n in steps.items()}
    )


def _all_new(changes: Collection[Change], number: int) -> bool:
    return len(changes) == number and all(change.before is None for change in changes)


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
