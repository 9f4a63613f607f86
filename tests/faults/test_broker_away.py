"""G3 and G11: Kafka dead, hung, restarted, cut off or black-holed, under load."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import psutil
import pytest

from shared.events import Topic
from tests.faults.conftest import Say
from tests.support.doors import Door, Doors, found, numbers_of
from tests.support.fleet import Fleet, open_fleet
from tests.support.ground import Ground, open_ground
from tests.support.ports import free_ports
from tests.support.proxy import Proxy, open_proxy
from tests.support.stillness import standing_still
from tests.support.tally import tally, until_settled
from tests.support.watch import answered_late

HEARD_S: Final = 5.0  # by callers that share a busy machine
ANSWERED_S: Final = 2.5  # by its own clock, but for single answers: the bucket above its 2 s
RECOVERED_S: Final = 5.0
SETTLED_S: Final = 15.0
GROWTH_MB: Final = 50.0
LONG: Final = (pytest.mark.slow, pytest.mark.timeout(600))


@pytest.mark.parametrize(
    ("how", "seconds"),
    [
        ("hung", 4.0),
        pytest.param("hung", 10.0, marks=pytest.mark.slow),
        pytest.param("killed", 10.0, marks=pytest.mark.slow),
    ],
)
async def test_ingest_without_kafka_is_bounded_and_honest(
    ground: Ground, programme: Path, tmp_path: Path, say: Say, how: str, seconds: float
) -> None:
    async with open_fleet(ground, tmp_path, programme) as fleet:
        (ingest,) = await fleet.up("ingest")
        memory = psutil.Process(ingest.pid).memory_info
        doors = Doors(fleet.http, ingest.url)
        async with under_load(doors, senders=12):
            before, most = memory().rss, 0
            gone = time.monotonic()
            async with away(ground, how):
                while time.monotonic() < gone + seconds:
                    await asyncio.sleep(0.2)
                    most = max(most, memory().rss)
            back = time.monotonic()
            recovered = [await taken_again(doors, door, back) for door in Door]
        there = await found(fleet, doors)
        growth, late = (most - before) / 1e6, await answered_late(ingest, ANSWERED_S)
        say(
            f"{how} for {back - gone:.1f} s: {len(doors.heard)} requests, the slowest in "
            f"{doors.slowest_s:.2f} s, {late:.0f} answered after more than "
            f"{ANSWERED_S} s, {doors.said['503']} put off; {growth:+.1f} MB; taken again after "
            f"{max(recovered):.2f} s; {there}"
        )
        assert doors.said["503"] > 100
        assert [heard for heard in doors.heard if not heard.honest] == []
        assert late == 0
        assert doors.slowest_s < HEARD_S
        assert growth < GROWTH_MB
        assert max(recovered) < RECOVERED_S
        assert not there.missing


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ground, int]]:
    """A broker that sends its clients to the port of a proxy."""
    (port,) = free_ports(1)
    properties = {"advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}"}
    with open_ground(tmp_path_factory.mktemp("behind"), properties=properties) as ground:
        yield ground, port


@pytest.mark.parametrize("times", [1, pytest.param(6, marks=LONG)])
async def test_restarts_cuts_and_holes_lose_and_double_nothing(
    behind: tuple[Ground, int], programme: Path, tmp_path: Path, say: Say, times: int
) -> None:
    ground, port = behind
    async with (
        open_proxy(ground.kafka.nodes[0].port, port) as proxy,
        open_fleet(ground, tmp_path, programme, EARSHOT_KAFKA_BOOTSTRAP=proxy.address) as fleet,
    ):
        (ingest,), scoring = await asyncio.gather(fleet.up("ingest"), fleet.up("scoring", 2))
        doors = Doors(fleet.http, ingest.url)
        async with under_load(doors, senders=12):
            for _ in range(times):
                for name, fault in faults(ground, proxy).items():
                    say(f"{name}: {await suffer(fleet, doors, fault)}")
        await until_settled(fleet, "scoring", Topic.SURVEY_RESPONSES)
        there = await found(fleet, doors)
        answers = (Door.ANSWER, Door.BATCH)
        counts = await tally(fleet, numbers_of(name for d in answers for name in doors.acked[d]))
        tried = numbers_of(name for door in answers for name in doors.tried[door])
        fenced, retries = [
            sum([await one.metric(f"earshot_consumer_{name}_total") for one in scoring])
            for name in ("fenced_partitions", "retries")
        ]
        say(f"{there}; {counts}; {fenced:.0f} partitions fenced, {retries:.0f} batches tried again")
        assert not there.missing
        assert not counts.lost
        assert not counts.double
        assert counts.strange <= tried


Fault = Callable[[], Awaitable[None]]


def faults(ground: Ground, proxy: Proxy) -> dict[str, Fault]:
    """What happens to Kafka, and is over when it returns."""

    async def terminated() -> None:
        node = psutil.Process(ground.kafka.nodes[0].pid)
        node.terminate()
        while node.is_running() and node.status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.05)
        await ground.revive()

    async def killed() -> None:
        ground.kill_kafka()
        await ground.revive()

    async def cut() -> None:
        with proxy.cut():
            await asyncio.sleep(2)

    async def resets() -> None:
        for _ in range(10):
            proxy.reset()
            await asyncio.sleep(0.2)

    async def hole() -> None:
        with proxy.hole():
            await asyncio.sleep(4)

    return {
        "SIGTERM": terminated,
        "kill -9": killed,
        "cut for 2 s": cut,
        "10 resets in 2 s": resets,
        "black hole for 4 s": hole,
    }


async def suffer(fleet: Fleet, doors: Doors, fault: Fault) -> str:
    """Let it happen, and say how long it took until all went on as before."""
    await asyncio.sleep(0.5)
    heard = len(doors.heard)
    began = time.monotonic()
    await fault()
    over = time.monotonic()
    recovered = max([await taken_again(doors, door, over) for door in Door])
    await until_settled(fleet, "scoring", Topic.SURVEY_RESPONSES)
    settled = time.monotonic() - over
    late = [one.took_s for one in doors.heard[heard:]]
    assert recovered < RECOVERED_S
    assert settled < SETTLED_S
    return (
        f"over after {over - began:.1f} s, answers taken again {recovered:.2f} s later, counted "
        f"{settled:.2f} s later; the slowest request {max(late):.2f} s"
    )


@asynccontextmanager
async def under_load(doors: Doors, *, senders: int) -> AsyncIterator[None]:
    load = asyncio.create_task(doors.run(senders, pause_s=0.03))
    try:
        await asyncio.sleep(1)
        yield
        await asyncio.sleep(0.5)
    finally:
        doors.stop.set()
        await load


@asynccontextmanager
async def away(ground: Ground, how: str) -> AsyncIterator[None]:
    """Kafka is dead, or hangs: then the kernel still takes connections for it."""
    if how == "killed":
        ground.kill_kafka()
        yield
        await ground.revive()
        return
    with standing_still([ground.kafka.nodes[0].pid]):
        yield
    await ground.serves()


async def taken_again(doors: Doors, door: Door, since: float) -> float:
    """Seconds from then to the first request, begun after it, that the door took."""
    async with asyncio.timeout(30):
        while True:
            for heard in doors.heard:
                if heard.door is door and heard.taken and heard.at > since:
                    return heard.at + heard.took_s - since
            await asyncio.sleep(0.05)
