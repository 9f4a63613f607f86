"""A broker that is stopped, or was never there: every wait is bounded, and all goes on after."""

import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.embedded.kafka import start_kafka, stop_kafka
from shared.stream import Broker, KafkaUnavailable, Outgoing
from shared.stream.kafka import guards, open_producer, open_room, open_source, read_all
from shared.stream.kafka.topics import cluster_id
from shared.stream.records import TooLargeForKafka
from tests.support.stream import TOPIC, Rig, engine, eventually, module_database_url

__all__ = ["engine", "module_database_url"]

BOUND_S = 0.4


class OwnBroker:
    """A broker of this module's own, which may be stopped and continued."""

    def __init__(self, var: Path) -> None:
        found = start_kafka(var, {TOPIC: 1, "scored-responses": 1})
        self.pid = found.pid
        self.broker = Broker(found.bootstrap, log=found.log, embedded=True)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        os.kill(self.pid, signal.SIGSTOP)
        tasks = Path(f"/proc/{self.pid}/task")
        while not all(" T " in (task / "stat").read_text() for task in tasks.iterdir()):
            time.sleep(0.001)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnBroker]:
    var = tmp_path_factory.mktemp("faults")
    yield OwnBroker(var)
    stop_kafka(var)


async def test_a_producer_is_bounded_fails_at_once_afterwards_and_comes_back(
    own: OwnBroker,
) -> None:
    async with open_producer(own.broker, bound_s=BOUND_S) as producer:
        await producer.send([Outgoing(TOPIC, None, b"before")])
        with own.stopped():
            began = time.monotonic()
            with pytest.raises(KafkaUnavailable):
                await producer.send([Outgoing(TOPIC, None, b"during")] * 50)
            bounded = time.monotonic() - began
            with pytest.raises(KafkaUnavailable, match="not connected"):
                await producer.send([Outgoing(TOPIC, None, b"at once")])
            at_once = time.monotonic() - began - bounded
        await eventually(lambda: producer.ready)
        await producer.send([Outgoing(TOPIC, None, b"after")])

    assert BOUND_S <= bounded < BOUND_S + 0.5
    assert at_once < 0.1
    values = [record.value for record in await read_all(own.broker.bootstrap, TOPIC)]
    assert values.count(b"before") == values.count(b"after") == 1
    assert b"at once" not in values


@pytest.mark.thorough
async def test_everything_closes_in_seconds_while_the_broker_says_nothing(
    own: OwnBroker, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "STOP_S", 0.2)  # 1 s each in earnest
    monkeypatch.setattr(guards, "_ABANDON_S", 0.1)
    rig = Rig(engine)
    async with open_producer(own.broker, bound_s=BOUND_S) as producer:
        await producer.send([Outgoing(TOPIC, None, b"word")])
        source = open_source(own.broker, [TOPIC], engine, rig.metrics, group="earshot-faults")
        with contextlib.ExitStack() as late:
            async with source as opened, rig.running(opened):
                await rig.until(1)
                late.enter_context(own.stopped())
                began = time.monotonic()
            await producer.close()
            took = time.monotonic() - began

    assert took < 2.5


async def test_a_broker_that_was_never_there_is_weather(engine: AsyncEngine) -> None:
    rig = Rig(engine)
    nowhere = Broker("127.0.0.1:1", log="x", embedded=True)
    async with (
        open_producer(nowhere, bound_s=BOUND_S) as producer,
        open_source(nowhere, [TOPIC], engine, rig.metrics, group="earshot-test") as source,
    ):
        async with rig.running(source):
            await eventually(lambda: rig.counted("retries_total") >= 2)
            assert "consumer" in (rig.health.fault() or "")
            assert source.lag() == {}
        with pytest.raises(KafkaUnavailable):
            await producer.send([Outgoing(TOPIC, None, b"word")])
    with pytest.raises(KafkaUnavailable):
        await read_all(nowhere.bootstrap, TOPIC)
    with pytest.raises(KafkaUnavailable):
        await cluster_id(nowhere.bootstrap)


async def test_a_record_that_kafka_never_takes_is_no_weather(own: OwnBroker) -> None:
    async with open_producer(own.broker) as producer:
        with pytest.raises(TooLargeForKafka):
            await producer.send([Outgoing(TOPIC, None, b"x" * 5_000_000)])

        await producer.send([Outgoing(TOPIC, None, b"x" * 900_000)])

        assert producer.ready


@asynccontextmanager
async def open_reader(
    broker: Broker, topic: str, group: str
) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """A reader of which only its committed offset is of interest."""
    home = TopicPartition(topic, 0)
    reader = AIOKafkaConsumer(
        bootstrap_servers=broker.bootstrap, group_id=group, enable_auto_commit=False
    )
    await reader.start()
    reader.assign([home])

    async def commit(most: int) -> None:
        ends = await reader.end_offsets([home])
        await reader.commit({home: min(most, ends[home])})

    yield commit
    await reader.stop()


@pytest.mark.thorough
async def test_room_holds_writers_back_until_the_reader_has_come_closer(own: OwnBroker) -> None:
    topic, word = "scored-responses", os.urandom(100_000)
    reader = open_reader(own.broker, topic, "earshot-alerts")
    async with (
        open_room(own.broker, wait_s=0.6) as room,
        open_producer(own.broker, room=room) as producer,
        reader as commit,
    ):
        for _ in range(50):  # nobody has read it yet: nobody is waited for
            await producer.send([Outgoing(topic, None, word)])
        await commit(0)
        with pytest.raises(KafkaUnavailable, match="earshot-alerts"):
            await producer.send([Outgoing(topic, None, word)] * 100)
        await commit(10_000)
        await producer.send([Outgoing(topic, None, word)] * 20)
