"""The loop on real PostgreSQL and the Kafka mock: exactly-once effect, dead letters, weather."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.db import open_engine
from shared.errors import Reason, Refused
from shared.stream import (
    Broker,
    Decoded,
    Health,
    Outgoing,
    Pipeline,
    Record,
    StreamMetrics,
    consume,
)
from shared.stream.kafka import KafkaProducer, KafkaSource, open_producer, open_source
from shared.stream.offsets import create_table

TOPIC = "survey-responses"


@pytest.fixture
async def engine(empty_database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(empty_database_url, schema="public") as engine:
        async with engine.begin() as connection:
            await connection.run_sync(
                lambda sync: create_table(Operations(MigrationContext.configure(sync)))
            )
            await connection.execute(
                sa.text("CREATE TABLE seen (word text, times int DEFAULT 1 CHECK (word <> 'bad'))")
            )
        yield engine


def decode(record: Record) -> str:
    word = (record.value or b"").decode()
    if word == "poison":
        raise Refused(Reason.BAD_JSON, "the value is not JSON")
    return word


async def write(items: Sequence[Decoded], connection: AsyncConnection) -> None:
    if any(item.value == "bug" for item in items):
        raise ZeroDivisionError
    await connection.execute(
        sa.text("INSERT INTO seen (word) SELECT * FROM unnest(CAST(:words AS text[]))"),
        {"words": [item.value for item in items]},
    )


class Rig:
    def __init__(self, broker: Broker, engine: AsyncEngine) -> None:
        self.broker = broker
        self.engine = engine
        self.registry = CollectorRegistry()
        self.metrics = StreamMetrics(self.registry)
        self.health = Health()

    async def send(self, *words: str) -> None:
        async with open_producer(self.broker) as producer:
            await producer.send([Outgoing(TOPIC, w.encode(), w.encode()) for w in words])

    @asynccontextmanager
    async def running(self, topics: Sequence[str] = (TOPIC,)) -> AsyncIterator[KafkaSource]:
        stop = asyncio.Event()
        async with AsyncExitStack() as stack:
            producer = await stack.enter_async_context(open_producer(self.broker))
            source = await stack.enter_async_context(
                open_source(self.broker, topics, self.engine, self.metrics, group="earshot-test")
            )
            pipeline = self.pipeline(producer)
            task = asyncio.create_task(consume(source, pipeline, stop, self.health))
            try:
                yield source
            finally:
                stop.set()
                await asyncio.wait_for(task, 10)

    def pipeline(self, producer: KafkaProducer) -> Pipeline:
        return Pipeline(
            service="test", engine=self.engine, decode={TOPIC: decode, "dead-letters": keep},
            handle=write, producer=producer, metrics=self.metrics,
        )  # fmt: skip

    async def words(self) -> list[str]:
        async with self.engine.connect() as connection:
            rows = await connection.execute(sa.text("SELECT word FROM seen"))
            return sorted(word for (word,) in rows)

    async def until(self, count: int) -> list[str]:
        async with asyncio.timeout(20):
            while len(words := await self.words()) < count:
                await asyncio.sleep(0.05)
        return words


def keep(record: Record) -> str:
    headers = dict(record.headers)
    return f"{headers['earshot-reason'].decode()}:{(record.value or b'').decode()}"


@pytest.fixture
def rig(broker: Broker, engine: AsyncEngine) -> Rig:
    return Rig(broker, engine)


async def test_each_record_takes_effect_once_across_restarts(rig: Rig) -> None:
    await rig.send("a", "b", "c")
    async with rig.running():
        assert await rig.until(3) == ["a", "b", "c"]
    await rig.send("d")

    async with rig.running():
        words = await rig.until(4)
        await asyncio.sleep(0.3)

    assert words == await rig.words() == ["a", "b", "c", "d"]


async def test_poison_goes_to_dead_letters_and_the_rest_goes_on(rig: Rig) -> None:
    await rig.send("a", "poison", "bug", "bad", "b")

    async with rig.running():
        await rig.until(2)
    async with rig.running(["dead-letters"]):
        words = await rig.until(5)

    assert words == ["a", "b", "bad-json:poison", "bug:bug", "database:bad"]


async def test_weather_aborts_the_batch_and_it_is_tried_again(rig: Rig) -> None:
    async with rig.engine.begin() as connection:
        await connection.execute(sa.text("ALTER TABLE seen RENAME TO away"))
    await rig.send("a", "b")
    async with rig.running():
        async with asyncio.timeout(20):
            while rig.health.fault() is None:
                await asyncio.sleep(0.05)
        async with rig.engine.begin() as connection:
            await connection.execute(sa.text("ALTER TABLE away RENAME TO seen"))

        assert await rig.until(2) == ["a", "b"]
        assert rig.health.fault() is None


async def test_a_moved_offset_fences_the_stale_owner(rig: Rig) -> None:
    await rig.send("a")
    async with rig.running():
        await rig.until(1)
        async with rig.engine.begin() as connection:
            await connection.execute(sa.text("UPDATE offsets SET next = next + 1"))
        await rig.send("a", "a")  # the same key, so the same partition: the first is skipped
        await rig.until(2)
        await asyncio.sleep(0.3)

        assert await rig.words() == ["a", "a"]
    assert rig.registry.get_sample_value("earshot_consumer_fenced_partitions_total") == 1
