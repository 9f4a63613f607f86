"""The database's time is everybody's, whatever a machine's own clock says."""

import asyncio
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from shared.clock import CommonClock, utc_now
from shared.db import open_engine

SOON = timedelta(seconds=1)


@pytest.mark.parametrize("hours", [-1, 1, 24])
async def test_a_clock_that_is_wrong_is_not_believed(database_url: str, hours: int) -> None:
    def own() -> datetime:
        return utc_now() + timedelta(hours=hours)

    async with open_engine(database_url, schema="trigger") as engine:
        clock = CommonClock(engine, own)
        assert abs(clock() - own()) < SOON  # the first look has yet to come

        assert await clock.look()
        first = clock()
        await asyncio.sleep(0.2)

        async with engine.connect() as connection:
            truth = await connection.scalar(sa.text("SELECT clock_timestamp()"))
        assert abs(clock() - truth) < timedelta(milliseconds=100)
        assert timedelta(milliseconds=190) < clock() - first < SOON


async def test_without_the_database_time_goes_on(database_url: str) -> None:
    async with open_engine(database_url, schema="trigger") as engine:
        clock = CommonClock(engine, lambda: utc_now() + timedelta(hours=1))
        await clock.look()
    async with open_engine("postgresql://nobody@127.0.0.1:9/none", schema="trigger") as away:
        clock._engine = away  # noqa: SLF001

        assert not await clock.look()

        assert abs(clock() - utc_now()) < SOON


async def test_it_looks_until_it_is_stopped(database_url: str) -> None:
    stop = asyncio.Event()
    async with open_engine(database_url, schema="trigger") as engine:
        clock = CommonClock(engine, lambda: utc_now() + timedelta(hours=1))
        looking = asyncio.create_task(clock.run(stop))
        async with asyncio.timeout(5):
            while abs(clock() - utc_now()) > SOON:
                await asyncio.sleep(0.01)
        stop.set()
        await asyncio.wait_for(looking, 5)
