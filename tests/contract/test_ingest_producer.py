"""The fake producer of ingest's tests keeps the promises of the real one, on mock and Kafka."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.ingest.handlers.ports import Producer
from shared.events import Topic
from shared.stream.kafka import open_producer
from shared.stream.records import Broker, Headers, KafkaUnavailable, Outgoing
from tests.support.ingest import FakeProducer
from tests.support.kafka import MOCK_PARTITIONS, on_both

Found = list[tuple[bytes | None, bytes | None, Headers]]


class Rig(Protocol):
    producer: Producer

    async def written(self) -> Found: ...


class MemoryRig:
    def __init__(self) -> None:
        self._fake = FakeProducer()
        self.producer: Producer = self._fake

    async def written(self) -> Found:
        return [(r.key, r.value, r.headers) for r in self._fake.sent]


class KafkaRig:
    def __init__(self, producer: Producer, broker: Broker) -> None:
        self.producer = producer
        self._broker = broker

    async def written(self) -> Found:
        return [one for found in (await self.by_partition()).values() for one in found]

    async def by_partition(self) -> dict[int, Found]:
        """What each partition holds, in its order."""
        topic = f"{self._broker.prefix}{Topic.SURVEY_RESPONSES}"
        reader = AIOKafkaConsumer(
            bootstrap_servers=self._broker.bootstrap, fetch_max_wait_ms=20,
            enable_auto_commit=False, auto_offset_reset="earliest",
        )  # fmt: skip
        await reader.start()
        try:
            homes = [TopicPartition(topic, number) for number in range(MOCK_PARTITIONS)]
            reader.assign(homes)
            ends = await reader.end_offsets(homes)
            found: dict[int, Found] = {home.partition: [] for home in homes}
            while sum(map(len, found.values())) < sum(ends.values()):
                for home, records in (await reader.getmany(timeout_ms=500)).items():
                    found[home.partition] += [(r.key, r.value, tuple(r.headers)) for r in records]
            return found
        finally:
            await reader.stop()


@asynccontextmanager
async def memory(broker: Broker) -> AsyncIterator[Rig]:
    yield MemoryRig()


@asynccontextmanager
async def kafka(broker: Broker) -> AsyncIterator[KafkaRig]:
    async with open_producer(broker, bound_s=5.0) as producer:
        yield KafkaRig(producer, broker)


@asynccontextmanager
async def memory_away(broker: Broker) -> AsyncIterator[Producer]:
    yield FakeProducer(away=True)


@asynccontextmanager
async def kafka_away(broker: Broker) -> AsyncIterator[Producer]:
    async with open_producer(Broker("127.0.0.1:1", "gone"), bound_s=0.5) as producer:
        yield producer


def record(number: int) -> Outgoing:
    value = b'{"n":%d}' % number
    return Outgoing(Topic.SURVEY_RESPONSES, b"r-%d" % number, value, (("h", b"%d" % number),))


OpenRig = Callable[[Broker], AbstractAsyncContextManager[Rig]]
OpenAway = Callable[[Broker], AbstractAsyncContextManager[Producer]]
on_rigs = pytest.mark.parametrize(
    ("open_rig", "broker"),
    [
        pytest.param(memory, "mock", id="memory"),
        pytest.param(kafka, "mock", id="mock"),
        pytest.param(kafka, "real", id="real", marks=pytest.mark.real_kafka),
    ],
    indirect=["broker"],
)


@on_rigs
@pytest.mark.parametrize("together", [False, True], ids=["by-key", "together"])
@pytest.mark.parametrize("count", [1, 3, 100])
async def test_what_send_returned_for_is_written_once_and_whole(
    open_rig: OpenRig, together: bool, count: int, broker: Broker
) -> None:
    records = [record(number) for number in range(count)]

    async with open_rig(broker) as rig:
        await rig.producer.send(records, together=together)
        found = await rig.written()

    assert sorted(found) == sorted((r.key, r.value, r.headers) for r in records)


@on_rigs
async def test_nothing_to_send_is_nothing_written(open_rig: OpenRig, broker: Broker) -> None:
    async with open_rig(broker) as rig:
        await rig.producer.send([])
        await rig.producer.send([], together=True)


@pytest.mark.parametrize("open_away", [memory_away, kafka_away], ids=["memory", "kafka"])
@pytest.mark.parametrize("together", [False, True], ids=["by-key", "together"])
async def test_without_kafka_send_says_so(
    open_away: OpenAway, together: bool, broker: Broker
) -> None:
    async with open_away(broker) as producer:
        with pytest.raises(KafkaUnavailable):
            await producer.send([record(1)], together=together)


@on_both
@pytest.mark.parametrize("together", [False, True], ids=["by-key", "together"])
async def test_more_than_a_batch_holds_arrives_in_several(together: bool, broker: Broker) -> None:
    records = [
        Outgoing(Topic.SURVEY_RESPONSES, b"same", b"%d" % n + b"x" * 60_000) for n in range(30)
    ]

    async with kafka(broker) as rig:
        await rig.producer.send(records, together=together)
        found = await rig.by_partition()

    sent = {record.value: number for number, record in enumerate(records)}
    orders = [[sent[value] for _, value, _ in held] for held in found.values() if held]
    assert sorted(number for order in orders for number in order) == list(range(len(records)))
    assert all(order == sorted(order) for order in orders)
    if not together:  # else each batch is in the next partition
        assert len(orders) == 1
