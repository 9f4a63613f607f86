"""What open minutes hold: read whole once, then only what has changed, and nothing is missed."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.alerts.domain.answers import Line, Place, Tick
from services.alerts.domain.streams import LeafTick
from services.alerts.store.ledger import SqlLedger
from services.alerts.store.opened import read_changed, read_moment, read_open
from shared.db import open_engine

LINE = Line("nps", "post-delivery")
EU, US = '{"region":"EU"}', '{"region":"US"}'


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(fresh_database_url, schema="alerts") as engine:
        yield engine


async def test_only_leaves_that_changed_are_read_with_all_that_they_hold(
    engine: AsyncEngine,
) -> None:
    await _add(engine, (EU, 100, 5, 1), (EU, 101, 2, 0), (US, 100, 7, 0))
    async with engine.connect() as judge:
        moment = await _moment_of_quiet(judge)
        assert sorted(await read_open(judge, LINE, 99)) == [LeafTick(EU, 7, 1), LeafTick(US, 7, 0)]

        await _add(engine, (EU, 102, 3, 3))
        assert await read_changed(judge, LINE, 99, moment) == [LeafTick(EU, 10, 4)]
        assert await read_changed(judge, LINE, 100, moment) == [LeafTick(EU, 5, 3)]

        await _add(engine, (US, 100, -7, 0))
        assert sorted(await read_changed(judge, LINE, 99, moment)) == [
            LeafTick(EU, 10, 4),
            LeafTick(US, 0, 0),
        ]


async def test_what_was_being_counted_at_the_moment_is_read_after_it(engine: AsyncEngine) -> None:
    async with engine.connect() as judge, engine.connect() as counting:
        await _count(counting, (EU, 100, 5, 1))  # has its transaction, and is not committed
        await _add(engine, (US, 100, 7, 0))  # a later one that is
        moment = await read_moment(judge)
        assert await read_open(judge, LINE, 99) == [LeafTick(US, 7, 0)]

        await counting.commit()
        assert LeafTick(EU, 5, 1) in await read_changed(judge, LINE, 99, moment)


async def test_ids_of_transactions_begin_anew_after_four_billion(engine: AsyncEngine) -> None:
    await _add(engine, (EU, 100, 5, 1))
    async with engine.connect() as judge:
        moment = int(await _moment_of_quiet(judge))
        before = (moment - 100_000_000) % (1 << 32)  # of a young database beyond the turn
        assert await read_changed(judge, LINE, 99, str(before)) == [LeafTick(EU, 5, 1)]


async def _moment_of_quiet(judge: AsyncConnection) -> str:
    """As of which nothing has changed: others write in other databases of this server."""
    async with asyncio.timeout(10):
        while True:
            moment = await read_moment(judge)
            if not await read_changed(judge, LINE, 99, moment):
                return moment
            await asyncio.sleep(0.01)


async def _add(engine: AsyncEngine, *ticks: tuple[str, int, int, int]) -> None:
    async with engine.begin() as connection:
        await _count(connection, *ticks)


async def _count(connection: AsyncConnection, *ticks: tuple[str, int, int, int]) -> None:
    sums = {Place(*LINE, minute, leaf): Tick(n, bad) for leaf, minute, n, bad in ticks}
    await SqlLedger(connection, "log").add(sums)
