"""One contract, two ledgers: the fake of the unit tests keeps what the real one promises."""

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scoring.consumer import build_decoders
from services.scoring.domain.answers import Truth, fold, version_of
from services.scoring.domain.cells import Cell, Line
from services.scoring.handlers import Ledger, is_news
from services.scoring.store import Book, SqlLedger, adopt
from services.scoring.tables import SUMS
from shared.db import open_engine
from tests.support.scoring import LAYOUT, MemoryLedger, record
from tests.support.scoring_history import history

DECODE = build_decoders(["touchpoint"])
BATCH = 25
_COUNTED = (
    f'SELECT s.metric, s.scale, s.survey, s.slice, s."values", c.hour, {", ".join(SUMS)}'
    " FROM counts c JOIN series s ON s.id = c.series"
)


@pytest.fixture
async def connection(fresh_database_url: str) -> AsyncIterator[AsyncConnection]:
    async with open_engine(fresh_database_url, schema="scoring") as engine:
        await adopt(engine, LAYOUT)
        async with engine.connect() as opened:
            yield opened


def batches() -> list[list[Truth]]:
    records = [record(value) for value in history(21)]
    truths = [DECODE[one.topic](one) for one in records]
    repeated = truths[::2] + truths[1::2] + truths[:20]
    return [repeated[first : first + BATCH] for first in range(0, len(repeated), BATCH)]


async def told_by(ledger: Ledger, batch: list[Truth]) -> list[tuple[str, str | None, bool]]:
    folded = fold(batch)
    ledger.foresee(folded)
    changes = await ledger.record(folded)
    await ledger.count(changes)
    return sorted((one.after.id, version_of(one.after), is_news(one)) for one in changes)


async def test_both_ledgers_tell_the_same_changes_and_count_them_alike(
    connection: AsyncConnection,
) -> None:
    memory, book = MemoryLedger(), Book()
    for batch in batches():
        real = await SqlLedger.begin(connection, book)

        assert await told_by(real, batch) == await told_by(memory, batch)

        await connection.commit()
    assert await counted(connection) == memory.filled


async def counted(connection: AsyncConnection) -> dict[Cell, list[int]]:
    """What the tables hold, in the words of the fake."""
    rows = await connection.execute(sa.text(_COUNTED))
    return {
        (Line(metric, scale, survey, slice_, tuple(values)), hour): list(sums)
        for metric, scale, survey, slice_, values, hour, *sums in rows
        if any(sums)
    }


async def test_a_repeated_batch_changes_nothing_in_either(connection: AsyncConnection) -> None:
    memory = MemoryLedger()
    for batch in [*batches(), *batches()]:
        real = await SqlLedger.begin(connection, Book())
        await told_by(real, batch)
        await told_by(memory, batch)
        await connection.commit()
    everything = [truth for batch in batches() for truth in batch]
    real = await SqlLedger.begin(connection, Book())

    assert await told_by(real, everything) == []
    assert await told_by(memory, everything) == []
