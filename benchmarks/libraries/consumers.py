"""Fetching 12 partitions of answers to their end, by aiokafka and by librdkafka's Python client.

aiokafka    `getmany`, 2,000 records at most, as the services do
confluent   `consume`, 2,000 at most, in a thread because it blocks; librdkafka's own threads count
and decode  each value decoded by msgspec into its model besides, which both need
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from statistics import median
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as Place

from benchmarks.figures import Cell, Figures, Table
from benchmarks.scoring.answers import made_up
from benchmarks.servers import Servers
from shared.events import PARTITIONS, SurveyResponse, Topic
from shared.stream.kafka import open_producer
from shared.wire import decoder

RECORDS: Final = 40_000
_SENT_AT_ONCE: Final = 4_000
_MOST: Final = 2_000
_PATIENCE_S: Final = 0.2
_decode = decoder(SurveyResponse).decode

Take = Callable[[Iterable[bytes]], Any]


async def aiokafka(bootstrap: str, take: Take) -> None:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    await consumer.start()
    try:
        places = [TopicPartition(str(Topic.SURVEY_RESPONSES), n) for n in range(PARTITIONS)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        left = RECORDS
        while left > 0:
            found = await consumer.getmany(timeout_ms=200, max_records=_MOST)
            for batch in found.values():
                take(record.value for record in batch)
                left -= len(batch)
    finally:
        await consumer.stop()


async def confluent(bootstrap: str, take: Take) -> None:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "libraries",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "max.partition.fetch.bytes": 4 * 1024 * 1024,
        }
    )
    try:
        consumer.assign([Place(str(Topic.SURVEY_RESPONSES), n, 0) for n in range(PARTITIONS)])
        left = RECORDS
        while left > 0:
            found = await asyncio.to_thread(consumer.consume, _MOST, _PATIENCE_S)
            for message in found:
                if (fault := message.error()) is not None:
                    raise KafkaException(fault)
            # what a record is made of is asked of both: value, key, offset and time
            records = [(m.value(), m.key(), m.offset(), m.timestamp()) for m in found]
            take(value for value, *_ in records if value is not None)
            left -= len(records)
    finally:
        consumer.close()


def pass_by(values: Iterable[bytes]) -> None:
    for _ in values:
        pass


def decode(values: Iterable[bytes]) -> None:
    for value in values:
        _decode(value)


TURNS: Final[dict[str, tuple[Callable[[str, Take], Awaitable[None]], Take]]] = {
    "aiokafka": (aiokafka, pass_by),
    "confluent": (confluent, pass_by),
    "aiokafka and decode": (aiokafka, decode),
    "confluent and decode": (confluent, decode),
}


async def measure(figures: Figures, at: Servers, seconds: float) -> None:
    """Each its turn, for so many seconds in all; medians."""
    records = made_up(RECORDS, 12, 1)
    async with open_producer(at.broker) as producer:
        for first in range(0, RECORDS, _SENT_AT_ONCE):
            await producer.send(records[first : first + _SENT_AT_ONCE])
    own: dict[str, list[float]] = {name: [] for name in TURNS}
    whole: dict[str, list[float]] = {name: [] for name in TURNS}
    ends = time.monotonic() + seconds * len(TURNS)
    while time.monotonic() < ends or not own["confluent and decode"]:
        for name, (fetch, take) in TURNS.items():
            began, core = time.perf_counter(), time.process_time()
            await fetch(at.broker.bootstrap, take)
            own[name].append(time.process_time() - core)
            whole[name].append(time.perf_counter() - began)
    lines: list[tuple[Cell, ...]] = [
        (name, *(median(times[name]) / RECORDS * 1e6 for times in (own, whole))) for name in TURNS
    ]
    figures.add(
        Table(
            "consumers",
            f"{RECORDS:,} answers fetched from {PARTITIONS} partitions",
            ("client", "own us a record", "us a record"),
            lines,
        )
    )
