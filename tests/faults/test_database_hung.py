"""G14: a database that hangs, cannot be reached or is locked costs a bounded time, and no count."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from sqlalchemy import make_url

from tests.faults.conftest import Say
from tests.support.fleet import Fleet, Replica, open_fleet
from tests.support.ground import Ground
from tests.support.proxy import Proxy, open_proxy
from tests.support.stillness import family, standing_still
from tests.support.tally import connect
from tests.support.watch import until_all_ready, watched
from tests.support.whole import open_whole

pytestmark = pytest.mark.timeout(300)  # on a busy machine

STATEMENT_S = 2.0
# a statement given up (2 + 3 s), its transaction (2 s) and its connection (2 s)
BOUND_S = STATEMENT_S + 7.0
HUNG_S = 12.0
QUESTIONS = {
    "scoring": "/v1/scores?metric=nps",
    "trigger": "/v1/invitations",
    "alerts": "/v1/alerts",
}
LOCKED = ("scoring.counts", "trigger.invitations", "alerts.ticks", "alerts.alerts")

Trouble = Callable[[Fleet, Proxy], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def stopped_backends(fleet: Fleet, _: Proxy) -> AsyncIterator[None]:
    """Each session that the services have now stands still; new ones would work."""
    connection = await connect(fleet.database_url)
    try:
        rows = await connection.fetch(
            "SELECT pid FROM pg_stat_activity"
            " WHERE application_name LIKE 'earshot-%' AND datname = current_database()"
        )
    finally:
        await connection.close()
    with standing_still(row[0] for row in rows):
        yield


@asynccontextmanager
async def stopped_server(fleet: Fleet, _: Proxy) -> AsyncIterator[None]:
    """The postmaster and all its children stand still: connections are taken by the kernel only."""
    with standing_still(family(fleet.ground.postgres.pid)):
        yield


@asynccontextmanager
async def black_hole(_: Fleet, proxy: Proxy) -> AsyncIterator[None]:
    with proxy.hole():
        yield


@asynccontextmanager
async def long_lock(fleet: Fleet, _: Proxy) -> AsyncIterator[None]:
    """Somebody's sessions hold tables of every service: their own statements wait."""
    async with AsyncExitStack() as stack:
        for table in LOCKED:
            connection = await connect(fleet.database_url)
            stack.push_async_callback(connection.close)
            await stack.enter_async_context(connection.transaction())
            await connection.execute(f"LOCK TABLE {table}")
        yield


@dataclass(frozen=True)
class Said:
    """What an API said while the database hung."""

    service: str
    status: int
    media: str
    took_s: float

    def __str__(self) -> str:
        return f"{self.service} {self.status} after {self.took_s:.1f} s"


async def ask(replica: Replica) -> Said:
    began = time.monotonic()
    async with httpx.AsyncClient(timeout=2 * BOUND_S, trust_env=False) as http:
        reply = await http.get(f"{replica.url}{QUESTIONS[replica.service]}")
    media = reply.headers["content-type"]
    return Said(replica.service, reply.status_code, media, time.monotonic() - began)


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(stopped_server, id="server-stopped"),
        pytest.param(stopped_backends, id="backends-stopped", marks=pytest.mark.slow),
        pytest.param(black_hole, id="black-hole", marks=pytest.mark.slow),
        pytest.param(long_lock, id="long-lock", marks=pytest.mark.slow),
    ],
)
async def test_a_hung_database_costs_a_bounded_time(
    ground: Ground, programme: Path, tmp_path: Path, say: Say, trouble: Trouble
) -> None:
    async with (
        open_proxy(ground.postgres.port) as proxy,
        open_fleet(ground, tmp_path, programme, EARSHOT_DATABASE_STATEMENT="2s") as fleet,
    ):
        whole = await open_whole(_behind(fleet, proxy))
        async with whole.loaded(), watched(whole.replicas) as watch:
            await asyncio.sleep(1)
            async with trouble(fleet, proxy):
                began = time.monotonic()
                said = await asyncio.gather(*(ask(replica) for replica in whole.consumers))
                await asyncio.sleep(max(0.0, began + HUNG_S - time.monotonic()))
            back_s = await until_all_ready(whole.consumers)
        found = await whole.settled()

        say(f"{', '.join(map(str, said))}; at work again after {back_s:.1f} s")
        say(f"{found}; unready {watch.unready}, slowest probe {watch.slowest_s:.1f} s")
        assert all(one.status == 503 and one.took_s < BOUND_S + 1 for one in said)
        assert {one.media for one in said} == {"application/problem+json"}
        assert found.exact
        assert not watch.ill
        assert watch.slowest_s < 10  # here, where much else has its turn as well
        assert watch.unready.keys() == {"scoring", "trigger", "alerts"}
        assert all(replica.alive for replica in whole.replicas)


def _behind(fleet: Fleet, proxy: Proxy) -> Fleet:
    """The services reach the database through the proxy; the tests look at it directly."""
    there = make_url(fleet.database_url).set(port=proxy.port)
    url = there.render_as_string(hide_password=False)
    fleet.environment = {**fleet.environment, "EARSHOT_DATABASE_URL": url}
    return fleet
