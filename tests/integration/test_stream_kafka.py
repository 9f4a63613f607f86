"""The loop on the mock and on Kafka: groups, eviction, what committed offsets are worth."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.stream import Broker, Outgoing, Partition
from shared.stream.kafka import KafkaSource, open_producer, open_source, read_all
from shared.stream.kafka.names import Names
from shared.stream.kafka.places import Places
from shared.stream.offsets import Offsets
from tests.support.kafka import on_both, on_real
from tests.support.stream import TOPIC, Rig, engine, eventually, module_database_url

__all__ = ["engine", "module_database_url"]


@pytest.fixture
def rig(engine: AsyncEngine) -> Rig:
    return Rig(engine)


async def send(broker: Broker, *words: str, key: bytes | None = b"one") -> None:
    async with open_producer(broker) as producer:
        await producer.send([Outgoing(TOPIC, key, word.encode()) for word in words])


@asynccontextmanager
async def reading(rig: Rig, broker: Broker) -> AsyncIterator[KafkaSource]:
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(
            open_source(broker, [TOPIC], rig.engine, rig.metrics, group="earshot-test")
        )
        _ = await stack.enter_async_context(rig.running(source))
        yield source


def other_group(rig: Rig, broker: Broker) -> KafkaSource:
    """The same consumer to the database, another one to Kafka: a join of a new group is quick."""

    def build() -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=broker.bootstrap, group_id=f"{broker.prefix}other",
            enable_auto_commit=False, auto_offset_reset="none", fetch_max_wait_ms=20,
        )  # fmt: skip

    names = Names(broker.prefix)
    places = Places(Offsets(rig.engine, group="earshot-test", log=broker.log), rig.metrics, names)
    return KafkaSource(build, [TOPIC], places, rig.metrics, names)


@on_both
async def test_places_come_from_the_database_not_from_kafka(rig: Rig, broker: Broker) -> None:
    await send(broker, "a", "b", "poison")
    async with reading(rig, broker):
        await rig.until(2)
        await eventually(lambda: len(rig.letters()) == 1)
    await send(broker, "c")

    source = other_group(rig, broker)
    async with rig.running(source):
        words = await rig.until(3)
    await source.close()

    assert words == ["a", "b", "c"]
    letters = await read_all(broker.bootstrap, f"{broker.prefix}{TOPIC}")
    assert [letter.value for letter in letters] == [b"a", b"b", b"poison", b"c"]


@on_both
async def test_kafka_is_told_where_the_consumer_stands(rig: Rig, broker: Broker) -> None:
    await send(broker, "a", "b")
    async with reading(rig, broker) as source:
        await rig.until(2)
        (home,) = [home for home, stored in source.next_of.items() if stored]

    reader = AIOKafkaConsumer(
        bootstrap_servers=broker.bootstrap, group_id=f"{broker.prefix}earshot-test"
    )
    await reader.start()
    told = await reader.committed(TopicPartition(f"{broker.prefix}{TOPIC}", home.number))
    await reader.stop()
    assert told == 2


@pytest.mark.thorough
async def test_evicted_records_are_counted_not_skipped_in_silence(rig: Rig, broker: Broker) -> None:
    async with open_producer(broker) as producer:
        for number in range(12):  # the mock keeps 5 MiB of a partition
            word = f"{number} {secrets.token_urlsafe(525_000)}"
            await producer.send([Outgoing(TOPIC, b"one", word.encode())])
    homes = await first_offsets(broker)
    (home,) = [home for home, first in homes.items() if first]
    await rig.execute(
        f"INSERT INTO offsets VALUES ('earshot-test', '{broker.log}', '{TOPIC}', {home.number}, 1)"
    )

    async with reading(rig, broker):
        words = await rig.until(12 - homes[home])

    assert len(words) == 12 - homes[home]
    assert rig.counted("gap_records_total", topic=TOPIC) == homes[home] - 1
    assert any("records lost" in log["event"] for log in rig.logs)


async def first_offsets(broker: Broker) -> dict[Partition, int]:
    reader = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap)
    await reader.start()
    topic = f"{broker.prefix}{TOPIC}"
    found = await reader.beginning_offsets([TopicPartition(topic, n) for n in range(4)])
    await reader.stop()
    return {Partition(TOPIC, tp.partition): first for tp, first in found.items()}


@on_both
async def test_a_topic_made_anew_is_read_from_its_beginning(rig: Rig, broker: Broker) -> None:
    await send(broker, "a", "b")
    for number in range(4):
        await rig.execute(
            f"INSERT INTO offsets VALUES ('earshot-test', '{broker.log}', '{TOPIC}', {number}, 99)"
        )

    async with reading(rig, broker):
        assert await rig.until(2) == ["a", "b"]

    assert rig.counted("gap_records_total", topic=TOPIC) == 0
    assert rig.counted("rewound_partitions_total", topic=TOPIC) == 4
    assert any("made anew" in log["event"] for log in rig.logs)


@on_both
@pytest.mark.thorough
async def test_two_members_share_a_group_and_each_record_counts_once(
    engine: AsyncEngine, broker: Broker
) -> None:
    rigs = [Rig(engine), Rig(engine)]
    await send(broker, *[str(number) for number in range(100)], key=None)
    async with AsyncExitStack() as stack:
        sources = [await stack.enter_async_context(reading(rig, broker)) for rig in rigs]
        await eventually(lambda: all(len(source.next_of) == 2 for source in sources))
        await send(broker, *[str(number) for number in range(100, 200)], key=None)
        words = await rigs[0].until(200)
        await asyncio.sleep(0.1)

    assert sorted(words, key=int) == [str(number) for number in range(200)]
    assert len(await rigs[0].words()) == 200
    assert all(rig.letters() == [] for rig in rigs)


@on_both
async def test_offsets_in_kafka_ahead_of_the_database_are_ignored(rig: Rig, broker: Broker) -> None:
    await send(broker, "a", "b", "c")
    liar = AIOKafkaConsumer(
        bootstrap_servers=broker.bootstrap, group_id=f"{broker.prefix}earshot-test",
        enable_auto_commit=False,
    )  # fmt: skip
    await liar.start()
    tps = [TopicPartition(f"{broker.prefix}{TOPIC}", number) for number in range(4)]
    liar.assign(tps)
    await liar.commit({tp: OffsetAndMetadata(3, "") for tp in tps})
    await liar.stop()

    async with reading(rig, broker):
        assert await rig.until(3) == ["a", "b", "c"]


@on_real
async def test_transactions_of_an_emitter_leave_no_lag_behind(rig: Rig, broker: Broker) -> None:
    """Their marks take an offset each, and what was aborted is no record."""
    topic = f"{broker.prefix}{TOPIC}"
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, transactional_id=topic)
    await producer.start()
    for word, kept in ((b"a", True), (b"x", False), (b"b", True), (b"y", False)):
        await producer.begin_transaction()
        await producer.send_and_wait(topic, word, key=b"one")
        await (producer.commit_transaction() if kept else producer.abort_transaction())
    await producer.stop()

    async with reading(rig, broker) as source:
        assert await rig.until(2) == ["a", "b"]
        await eventually(lambda: source.placed and not any(source.lag().values()))
        await eventually(lambda: rig.counted("lag_records", topic=TOPIC) == 0)
