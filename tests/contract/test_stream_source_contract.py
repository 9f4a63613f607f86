"""What the loop asks of a source: the one in memory and Kafka's keep the same contract."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import open_engine
from shared.stream import Broker, Offsets, Outgoing, Partition, Record, Source, StreamMetrics
from shared.stream.kafka import open_producer, open_source
from shared.stream.offsets import Move
from tests.support.log import MemorySource
from tests.support.stream import make_tables

FIRST, SECOND = "survey-responses", "survey-optouts"
Append = Callable[[str, bytes], Awaitable[None]]


class Stand:
    """A source, and a way to put records behind it."""

    def __init__(self, source: Source, append: Append, engine: AsyncEngine) -> None:
        self.source = source
        self.append = append
        self.engine = engine

    async def take(self, count: int) -> list[Record]:
        """Poll until so many came, as the loop does; then settle nothing."""
        found: list[Record] = []
        async with asyncio.timeout(10):
            while len(found) < count:
                found += await self.source.poll(0.05)
        return found

    async def nothing(self) -> None:
        for _ in range(3):
            assert await self.source.poll(0.02) == []

    def settled(self, records: list[Record]) -> None:
        for record in records:
            self.source.next_of[record.home] = record.offset + 1


@pytest.fixture
async def stand(
    request: pytest.FixtureRequest, broker: Broker, empty_database_url: str
) -> AsyncIterator[Stand]:
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(open_engine(empty_database_url, schema="public"))
        await make_tables(engine)
        if request.param == "memory":
            memory = MemorySource(
                Offsets(engine, group="earshot-test", log=broker.log), [FIRST, SECOND]
            )

            async def append(topic: str, value: bytes) -> None:
                memory.append(topic, value)

            yield Stand(memory, append, engine)
            return
        producer = await stack.enter_async_context(open_producer(broker))

        async def produce(topic: str, value: bytes) -> None:
            await producer.send([Outgoing(topic, b"one key", value)])

        for topic in (FIRST, SECOND):
            await produce(topic, b"0")
        metrics = StreamMetrics(CollectorRegistry())
        source = await stack.enter_async_context(
            open_source(broker, [FIRST, SECOND], engine, metrics, group="earshot-test")
        )
        stand = Stand(source, produce, engine)
        stand.settled(await stand.take(2))
        yield stand


async def polls_in_order(stand: Stand) -> Partition:
    source = stand.source
    await stand.nothing()
    assert source.placed
    for number in range(3):
        await stand.append(FIRST, b"%d" % number)
    records = await stand.take(3)
    assert [record.value for record in records] == [b"0", b"1", b"2"]
    assert records[0].offset == source.next_of[records[0].home]
    assert source.lag()[records[0].home] == 3
    stand.settled(records)
    assert not any(source.lag().values())
    await stand.nothing()
    return records[0].home


async def rewinds(stand: Stand, home: Partition) -> None:
    source = stand.source
    await stand.append(FIRST, b"again")
    assert [r.value for r in await stand.take(1)] == [b"again"]
    source.rewind(home)
    records = await stand.take(1)
    assert [r.value for r in records] == [b"again"]
    stand.settled(records)


async def goes_where_another_owner_stands(stand: Stand, home: Partition) -> None:
    source = stand.source
    async with stand.engine.begin() as connection:
        at = await source.offsets.read([home])
        move = Move(home, at[home], source.next_of[home] + 1)
        assert await source.offsets.move(connection, [move]) == {home}
    source.replace(home)
    assert home not in source.next_of
    await stand.append(FIRST, b"taken by another")
    await stand.append(FIRST, b"ours")
    records = await stand.take(1)
    assert [r.value for r in records] == [b"ours"]
    stand.settled(records)


async def pauses_one_topic(stand: Stand) -> None:
    source = stand.source
    source.pause_topic(FIRST)
    await stand.append(FIRST, b"waits")
    await stand.append(SECOND, b"goes")
    records = await stand.take(1)
    assert [r.value for r in records] == [b"goes"]
    stand.settled(records)
    await source.idle(0.02)
    await stand.nothing()
    source.resume_topic(FIRST)
    records = await stand.take(1)
    assert [r.value for r in records] == [b"waits"]
    stand.settled(records)


async def idles_and_loses_nothing(stand: Stand) -> None:
    source = stand.source
    await stand.append(FIRST, b"in bad weather")
    for _ in range(3):
        await source.idle(0.05)
    assert [r.value for r in await stand.take(1)] == [b"in bad weather"]


@pytest.mark.parametrize(
    ("stand", "broker"),
    [
        ("memory", "mock"),
        ("kafka", "mock"),
        pytest.param("kafka", "real", marks=pytest.mark.real_kafka),
    ],
    indirect=True,
)
async def test_a_source_keeps_its_contract(stand: Stand) -> None:
    """One join of the group for all of it: on the mock a join is what takes time."""
    home = await polls_in_order(stand)
    await rewinds(stand, home)
    await goes_where_another_owner_stands(stand, home)
    await pauses_one_topic(stand)
    await idles_and_loses_nothing(stand)
    stand.source.commit_best_effort()
    assert stand.source.placed
