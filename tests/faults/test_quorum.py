"""Three brokers: whichever is killed, nothing that was acknowledged is lost."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from shared.events import Topic
from tests.faults.conftest import Say
from tests.support.fleet import Fleet, open_fleet
from tests.support.ground import Ground, open_ground
from tests.support.load import Load
from tests.support.tally import lost_on_topic, tally, until_settled

pytestmark = pytest.mark.timeout(300)  # on a busy machine

NODES = 3
HEALED_S = 60.0


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with open_ground(tmp_path_factory.mktemp("three"), nodes=NODES) as ground:
        yield ground


@dataclass
class Gaps:
    """The longest times in which nothing was acknowledged."""

    load: Load
    longest_s: float = 0.0
    _looking: list[float] = field(default_factory=list)

    async def run(self) -> None:
        known, since = len(self.load.acked), time.monotonic()
        while True:
            await asyncio.sleep(0.02)
            if len(self.load.acked) > known:
                known, since = len(self.load.acked), time.monotonic()
            self.longest_s = max(self.longest_s, time.monotonic() - since)

    def take(self) -> float:
        """The longest since this was asked last."""
        longest, self.longest_s = self.longest_s, 0.0
        return longest


@asynccontextmanager
async def under_load(fleet: Fleet) -> AsyncIterator[tuple[Load, Gaps]]:
    """Two ingests take about 1,000 answers a second while the block runs."""
    ingests, _ = await asyncio.gather(fleet.up("ingest", 2), fleet.up("scoring", 2))
    load = Load(fleet.http, [ingest.url for ingest in ingests], size=20)
    gaps = Gaps(load)
    sending = asyncio.create_task(load.run(senders=4, pause_s=0.05))
    watching = asyncio.create_task(gaps.run())
    try:
        yield load, gaps
    finally:
        load.stop.set()
        watching.cancel()
        await asyncio.gather(sending)


async def until_healed(fleet: Fleet) -> float:
    """Wait until every partition is in sync on all brokers; how long that took."""
    began = time.monotonic()
    async with asyncio.timeout(HEALED_S):
        while not await _is_whole(fleet):
            await asyncio.sleep(0.2)
    return time.monotonic() - began


async def _is_whole(fleet: Fleet) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=fleet.ground.kafka.bootstrap)
    try:
        await admin.start()
        found = await admin.describe_topics([f"{fleet.prefix}{topic}" for topic in Topic])
    finally:
        await admin.close()
    return all(len(p["isr"]) == NODES for topic in found for p in topic["partitions"])


@pytest.mark.parametrize("kills", [1, pytest.param(6, marks=pytest.mark.slow)])
async def test_a_killed_leader_loses_nothing_acknowledged(
    three: Ground, programme: Path, tmp_path: Path, say: Say, kills: int
) -> None:
    async with open_fleet(three, tmp_path, programme) as fleet:
        async with under_load(fleet) as (load, gaps):
            away = [await _kill_and_revive(fleet, 1 + n % NODES, gaps) for n in range(kills)]
        await until_settled(fleet, "scoring", Topic.SURVEY_RESPONSES)
        lost = await lost_on_topic(fleet, load.acked)
        found = (await tally(fleet, load.acked)).without(load.tried)

        seconds = ", ".join(f"{gap:.1f}" for gap in away)
        say(f"{kills} leaders killed: {len(load.acked)} acknowledged, {len(lost)} lost; {found}")
        say(f"nothing acknowledged for {seconds} s; {len(load.faults)} refused: {set(load.faults)}")
        assert not lost
        assert found.exact
        assert len(load.acked) > 200
        assert load.slowest_s < 10


async def _kill_and_revive(fleet: Fleet, number: int, gaps: Gaps) -> float:
    await asyncio.sleep(1)
    gaps.take()
    fleet.ground.kill_kafka(number)
    await asyncio.sleep(2)
    await fleet.ground.revive()
    await until_healed(fleet)
    return gaps.take()


@pytest.mark.slow
async def test_without_a_majority_nothing_is_taken_and_nothing_lost(
    three: Ground, programme: Path, tmp_path: Path, say: Say
) -> None:
    async with open_fleet(three, tmp_path, programme) as fleet:
        async with under_load(fleet) as (load, gaps):
            await asyncio.sleep(1)
            three.kill_kafka(1)
            three.kill_kafka(2)
            await asyncio.sleep(2)
            load.faults.clear()
            before = len(load.acked)
            await asyncio.sleep(4)
            taken, refused = len(load.acked) - before, set(load.faults)
            began = time.monotonic()
            await three.revive()
            while len(load.acked) == before + taken:
                await asyncio.sleep(0.02)
            back_s = time.monotonic() - began
            await until_healed(fleet)
        await until_settled(fleet, "scoring", Topic.SURVEY_RESPONSES)
        lost = await lost_on_topic(fleet, load.acked)
        found = (await tally(fleet, load.acked)).without(load.tried)

        say(f"two of three dead: {taken} taken, {refused}, slowest {load.slowest_s:.1f} s")
        say(f"taken again {back_s:.1f} s after they were started; {len(lost)} lost; {found}")
        assert not taken
        assert refused == {"503"}
        assert not lost
        assert found.exact
        assert gaps.longest_s > 4
