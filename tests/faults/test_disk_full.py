"""G13: a full disk, PostgreSQL's or Kafka's, stops the work; freed, nothing is missing."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import make_url

from shared.embedded.postgres import running_postgres, start_postgres, stop_postgres
from shared.embedded.processes import is_alive
from shared.events import Topic
from tests.faults.conftest import Say
from tests.support.disk import Disk, small_disk
from tests.support.fleet import open_fleet
from tests.support.ground import DURABLE, Ground, open_ground
from tests.support.load import Load
from tests.support.tally import connect, lost_on_topic, tally, until_settled
from tests.support.watch import until_all_ready, watched
from tests.support.whole import Whole, open_whole

pytestmark = pytest.mark.timeout(300)  # on a busy machine

MB = 1024 * 1024


@dataclass
class CrampedPostgres(Ground):
    """A PostgreSQL of its own, beside the Kafka of another ground."""

    def start(self) -> None:
        self.postgres = start_postgres(self.var, DURABLE)

    @property
    def said(self) -> str:
        return (self.var / "postgres.log").read_text(errors="replace")


@pytest.fixture
def cramped(
    ground: Ground, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[CrampedPostgres, Disk]]:
    with small_disk(tmp_path_factory.mktemp("small"), 320) as disk:
        var = disk.path / "var"
        opened = CrampedPostgres(var)
        opened.kafka = ground.kafka
        opened.start()
        opened.prepare()
        try:
            yield opened, disk
        finally:
            stop_postgres(var)


@pytest.mark.slow
@pytest.mark.parametrize("first", ["tables", "wal"])
async def test_postgres_without_space_loses_nothing(
    cramped: tuple[CrampedPostgres, Disk], programme: Path, tmp_path: Path, say: Say, first: str
) -> None:
    """Where tables cannot grow statements fail (53100); where the WAL cannot, PostgreSQL ends."""
    ground, disk = cramped
    async with open_fleet(ground, tmp_path, programme) as fleet:
        whole = await open_whole(fleet)
        async with watched(whole.replicas) as watch, whole.loaded():
            await asyncio.sleep(1)
            if first == "tables":
                await _begin_a_segment(ground)
            disk.fill(0 if first == "tables" else 4 * MB)
            await _until_full(ground, whole)
            before = len(whole.answers.acked)
            refused = await _suppress(whole)
            await asyncio.sleep(5)
            taken = len(whole.answers.acked) - before
            disk.free()
            await _start_again(ground)
            back_s = await until_all_ready(whole.consumers)
        found = await whole.settled()

        full, panics = ground.said.count("could not extend"), ground.said.count("PANIC:")
        say(f"PostgreSQL could not extend {full} times, {panics} PANIC; {found}")
        say(f"{taken} answers taken meanwhile; at work {back_s:.1f} s after; {watch.unready}")
        assert full + panics  # which comes first is PostgreSQL's own choice
        assert found.exact
        assert refused == (503, "application/problem+json")
        assert taken > 500
        assert not whole.answers.faults
        assert not watch.ill
        assert watch.unready.keys() == {"scoring", "trigger", "alerts"}
        assert all(replica.alive for replica in whole.replicas)


async def _begin_a_segment(ground: Ground) -> None:
    """Room for 16 MB of WAL: it is the tables that have no space first."""
    url = make_url(ground.postgres.url).set(username="postgres")
    connection = await connect(url.render_as_string(hide_password=False))
    try:
        await connection.execute("SELECT pg_switch_wal()")
    finally:
        await connection.close()


async def _until_full(ground: CrampedPostgres, whole: Whole) -> None:
    """PostgreSQL has no space, and every service that needs it says that it is not ready."""
    async with asyncio.timeout(60):
        while "No space left on device" not in ground.said or await _any_ready(whole):
            await asyncio.sleep(0.1)


async def _any_ready(whole: Whole) -> bool:
    return any([await replica.ready() for replica in whole.consumers])


async def _suppress(whole: Whole) -> tuple[int, str]:
    """What trigger says to an opt-out that it cannot store."""
    (trigger,) = (one for one in whole.consumers if one.service == "trigger")
    body = {"customer_id": "c-1", "channels": ["email"], "reason": "opted-out"}
    reply = await whole.fleet.http.post(f"{trigger.url}/v1/suppressions", json=body)
    return reply.status_code, reply.headers["content-type"]


async def _start_again(ground: CrampedPostgres) -> None:
    """As an operator does where it ended; it may also have come back by itself."""
    await asyncio.sleep(1)
    if running_postgres(ground.var) is None or not is_alive(ground.postgres.pid):
        await ground.revive()


@pytest.fixture
def cramped_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ground, Disk]]:
    var = tmp_path_factory.mktemp("cramped")
    with small_disk(var / "kafka" / "1" / "data", 160) as disk, open_ground(var) as ground:
        yield ground, disk


@dataclass(frozen=True)
class Outage:
    """What ingest said while Kafka had no space, and how long it took to come back."""

    refused: set[str]
    taken: int
    died: bool
    back_s: float


async def _fill_and_free(ground: Ground, disk: Disk, load: Load) -> Outage:
    disk.fill(MB // 2)
    async with asyncio.timeout(60):
        while not load.faults:
            await asyncio.sleep(0.05)
    load.faults.clear()
    before = len(load.acked)
    await asyncio.sleep(5)
    refused, taken = set(load.faults), len(load.acked) - before
    disk.free()
    began, died = time.monotonic(), not is_alive(ground.kafka.nodes[0].pid)
    await ground.revive()
    async with asyncio.timeout(60):
        while len(load.acked) == before + taken:
            await asyncio.sleep(0.02)
    return Outage(refused, taken, died, time.monotonic() - began)


@pytest.mark.slow
async def test_kafka_without_space_loses_nothing_acknowledged(
    cramped_kafka: tuple[Ground, Disk], programme: Path, tmp_path: Path, say: Say
) -> None:
    ground, disk = cramped_kafka
    async with open_fleet(ground, tmp_path, programme) as fleet:
        (ingest,), scoring = await asyncio.gather(fleet.up("ingest"), fleet.up("scoring", 2))
        load = Load(fleet.http, [ingest.url])
        sending = asyncio.create_task(load.run(senders=2, pause_s=0.05))
        async with watched([ingest, *scoring]) as watch:
            await asyncio.sleep(1)
            outage = await _fill_and_free(ground, disk, load)
            await asyncio.sleep(1)
        load.stop.set()
        await sending
        await until_settled(fleet, "scoring", Topic.SURVEY_RESPONSES)
        lost = await lost_on_topic(fleet, load.acked)
        found = (await tally(fleet, load.acked)).without(load.tried)

        say(f"Kafka without space: {outage}, slowest {load.slowest_s:.1f} s")
        say(f"{len(load.acked)} acknowledged, {len(lost)} lost; {found}")
        assert outage.refused == {"503"}
        assert outage.died  # Kafka ends itself where it cannot write
        assert not outage.taken
        assert not lost
        assert found.exact
        assert not watch.ill
        assert load.slowest_s < 10
