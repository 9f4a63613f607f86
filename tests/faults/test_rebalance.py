"""G6: partitions change hands under load; an owner that stood still meanwhile writes nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGCONT
from time import monotonic

import psutil
import pytest

from tests.faults.conftest import Say
from tests.support.crew import enlist, lay_tables, tallied
from tests.support.fleet import Fleet, Replica, open_fleet
from tests.support.ground import Ground
from tests.support.load import POINTS, PROBES
from tests.support.paced import Pace
from tests.support.tally import tally, until_settled

SESSION_S = 2.0
FENCED = "earshot_consumer_fenced_partitions_total"


@dataclass
class Churn:
    """Replicas that come and go, and one that stands still between its fetch and its commit."""

    new: Callable[..., Replica]
    turns: int = 0
    fenced: list[float] = field(default_factory=list)

    async def come_and_go(self, stop: asyncio.Event, every_s: float = 2.0) -> None:
        """One joins or leaves each time."""
        guest = self.new()
        while not stop.is_set():
            began = monotonic()
            if guest.alive:
                await guest.terminate()
            else:
                await guest.start()
            self.turns += 1
            await asyncio.sleep(max(0.0, every_s - (monotonic() - began)))

    async def stand_still(self, times: int, point: str) -> None:
        """Stop at the point, lose the session, go on in the middle of the batch."""
        for _ in range(times):
            stale = self.new(EARSHOT_FAILPOINT=f"{point}:5:stop")
            await stale.start()
            await until_stopped(stale)
            await asyncio.sleep(SESSION_S + 1.5)
            stale.signal(SIGCONT)
            self.fenced.append(await fenced_within(stale, 10.0))
            await stale.terminate()


async def until_stopped(replica: Replica, within_s: float = 30.0) -> None:
    process = psutil.Process(replica.pid)
    async with asyncio.timeout(within_s):
        while process.status() != psutil.STATUS_STOPPED:
            await asyncio.sleep(0.02)


async def fenced_within(replica: Replica, within_s: float) -> float:
    deadline = monotonic() + within_s
    while not (number := await replica.metric(FENCED)) and monotonic() < deadline:
        await asyncio.sleep(0.1)
    return number


@asynccontextmanager
async def under_load(fleet: Fleet, per_s: int, most: int) -> AsyncIterator[Pace]:
    pace = Pace(fleet.broker, per_s, most)
    writing = asyncio.create_task(pace.run())
    try:
        yield pace
    finally:
        pace.stop.set()
        await writing


# a second, and at most: scoring has a cell of its own for so many
PACE = {"plain": (1_000, 1_000_000), "scoring": (500, PROBES * POINTS)}
LONG = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize(
    ("module", "stops"),
    [
        pytest.param("plain", 1, id="short"),
        pytest.param("plain", 9, id="long", marks=LONG),
        pytest.param("scoring", 6, id="scoring", marks=LONG),
    ],
)
async def test_nothing_counts_twice_while_members_come_go_and_stand_still(
    ground: Ground, programme: Path, tmp_path: Path, say: Say, module: str, stops: int
) -> None:
    async with open_fleet(
        ground, tmp_path, programme, EARSHOT_KAFKA_SESSION=f"{SESSION_S:.0f}s"
    ) as fleet:
        await lay_tables(fleet)

        def new(**settings: str) -> Replica:
            if module == "plain":
                return enlist(fleet, module, **settings)
            return fleet.add(module, **settings)

        churn = Churn(new)
        await asyncio.gather(*(new().start() for _ in range(2)))
        async with under_load(fleet, *PACE[module]) as pace:
            restless = asyncio.create_task(churn.come_and_go(pace.stop))
            began = monotonic()
            await churn.stand_still(stops, "decoded")
            took = monotonic() - began
        await restless
        schema = "scoring" if module == "scoring" else "public"
        await until_settled(fleet, schema, "survey-responses")

        count = tally if module == "scoring" else tallied
        found = await count(fleet, pace.sent)
        say(
            f"{found}; {churn.turns} joins and leaves in {took:.0f} s, {stops} owners stood still, "
            f"fenced partitions: {churn.fenced}"
        )
        assert found.exact
        assert all(churn.fenced)
