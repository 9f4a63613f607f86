"""G6: an owner that stands still inside its transaction does not hold the others' rows for ever."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from time import monotonic

import asyncpg
import pytest

from tests.faults.conftest import Say
from tests.faults.test_rebalance import LONG, until_stopped
from tests.support.crew import enlist, lay_tables, tallied
from tests.support.fleet import Fleet, Replica, open_fleet
from tests.support.ground import Ground
from tests.support.load import feed
from tests.support.system import ROOT
from tests.support.tally import connect, tally, until_settled

SESSION_S = 2.0
IDLE_S = 30.0  # the product's


@pytest.mark.parametrize(
    ("module", "idle_s"),
    [
        pytest.param("plain", 4.0, id="short"),
        pytest.param("scoring", IDLE_S, id="long", marks=LONG),
    ],
)
async def test_rows_of_an_owner_stopped_in_its_transaction_are_free_again(
    ground: Ground, programme: Path, tmp_path: Path, say: Say, module: str, idle_s: float
) -> None:
    session = {"EARSHOT_KAFKA_SESSION": f"{SESSION_S:.0f}s", "CREW_IDLE": f"{idle_s:.0f}s"}
    point = {"EARSHOT_FAILPOINT": "rows-written:1:stop"}
    schema, count = ("scoring", tally) if module == "scoring" else ("public", tallied)
    async with open_fleet(ground, tmp_path, programme, **session) as fleet:
        await lay_tables(fleet)
        new = enlist if module == "plain" else type(fleet).add
        stale, other = new(fleet, module, **point), new(fleet, module)
        await asyncio.gather(stale.start(), other.start())
        sent = await feed_until_stopped(fleet, stale)
        began = monotonic()
        await until_settled(fleet, schema, "survey-responses")
        held_s = monotonic() - began
        stale.signal(SIGCONT)
        await feed(fleet.broker, range(sent, sent + 1_000))
        await until_settled(fleet, schema, "survey-responses")

        found = await count(fleet, range(sent + 1_000))
        say(f"held for {held_s:.1f} s of at most {idle_s:.0f}; {found}")
        assert idle_s / 2 < held_s < idle_s + 30
        assert found.exact
        assert stale.alive


async def feed_until_stopped(fleet: Fleet, stale: Replica) -> int:
    """How many answers it took: the other may be given all partitions for a while."""
    sent = 0
    stopping = asyncio.create_task(until_stopped(stale))
    while not stopping.done():
        await feed(fleet.broker, range(sent, sent + 500))
        sent += 500
        await asyncio.wait({stopping}, timeout=0.2)
    await stopping
    return sent


DEAF = """
import asyncio, sys
import sqlalchemy as sa
from shared.db import open_engine

async def main():
    async with open_engine(sys.argv[1], schema="public") as engine, engine.begin() as connection:
        await connection.execute(sa.text("INSERT INTO tallied VALUES ('r-0', 1)"))
        await connection.execute(sa.text(
            "SELECT repeat('x', 1000) FROM generate_series(1, 3000000)"))

asyncio.run(main())
"""


@asynccontextmanager
async def reader_that_went_deaf(url: str, connection: asyncpg.Connection) -> AsyncIterator[None]:
    """It wrote a row and reads a long answer, and stands still in the middle of that."""
    waits = (
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%3000000)' AND state = 'active'"
        " AND wait_event = 'ClientWrite' AND pid <> pg_backend_pid()"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", DEAF, url, cwd=ROOT)
    try:
        async with asyncio.timeout(20):
            while not await connection.fetchval(waits):
                await asyncio.sleep(0.02)
            process.send_signal(SIGSTOP)
            await asyncio.sleep(0.5)
            assert await connection.fetchval(waits)
        yield
    finally:
        process.kill()
        await process.wait()


@pytest.mark.slow
async def test_rows_of_an_owner_stopped_while_it_was_answered_are_free_again(
    ground: Ground, programme: Path, tmp_path: Path, say: Say
) -> None:
    """No time-out of PostgreSQL's own ends a statement whose answer nobody takes."""
    async with open_fleet(ground, tmp_path, programme) as fleet:
        await lay_tables(fleet)
        connection = await connect(fleet.database_url)
        async with reader_that_went_deaf(fleet.database_url, connection):
            began = monotonic()
            await connection.execute("INSERT INTO tallied VALUES ('r-0', 2)", timeout=2 * IDLE_S)
            held_s = monotonic() - began
        await connection.close()

        say(f"held for {held_s:.1f} s of at most {IDLE_S:.0f}")
        assert held_s < IDLE_S + 5.0
