"""aiokafka's producer, as ours uses it, beside confluent-kafka's: processor time a record.

Both acknowledge by all replicas, are idempotent and compress by zstd. `records at once` are handed
over together and awaited before the next: what ingest does with the answers of one turn of its
loop. Both put the records of one hand-over into one partition, and those of the next into the next.
confluent-kafka has threads of its own, whose time is counted too, and calls back from a thread that
polls it, which wakes the loop.
"""

import asyncio
import gc
import statistics
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, Final, NamedTuple

from confluent_kafka import Producer

from benchmarks.figures import Figures, Table
from benchmarks.ingest.http_load import body_of
from benchmarks.servers import Servers
from shared.events import PARTITIONS, Topic
from shared.stream import Outgoing
from shared.stream.kafka import open_producer

AT_ONCE: Final = (1, 16, 256)
_ROUNDS: Final = 3
Send = Callable[[Sequence[Outgoing]], Awaitable[None]]


class Cost(NamedTuple):
    """Processor time and time a record, in microseconds."""

    cpu_us: float
    wall_us: float


async def measure(figures: Figures, at: Servers, seconds: float) -> None:
    """Add the table of both producers; aiokafka stays where it costs less than 1.5 times."""
    rows: list[list[str | int | float]] = []
    async with _aiokafka(at) as ours, _confluent(at) as theirs:
        contenders = {"aiokafka": ours, "confluent-kafka": theirs}
        for number in AT_ONCE:
            found: dict[str, list[Cost]] = {name: [] for name in contenders}
            for _ in range(_ROUNDS):
                for name, send in contenders.items():
                    found[name].append(await _turn(send, number, seconds / _ROUNDS))
            for name, costs in found.items():
                cpu, wall = (statistics.median(column) for column in zip(*costs, strict=True))
                rows.append([number, name, cpu, wall])
    columns = ("records at once", "", "cpu us a record", "us a record")
    figures.add(Table("producers", "Producers: acks=all, idempotent, zstd", columns, rows))


async def _turn(send: Send, number: int, seconds: float) -> Cost:
    value = body_of(1).encode()
    records = [Outgoing(Topic.SURVEY_OPTOUTS, b"r-%d" % n, value) for n in range(number)]
    await send(records)
    gc.collect()
    sent, began, spent = 0, time.perf_counter(), time.process_time()
    while (taken := time.perf_counter() - began) < seconds:
        await send(records)
        sent += number
    return Cost((time.process_time() - spent) / sent * 1e6, taken / sent * 1e6)


@asynccontextmanager
async def _aiokafka(at: Servers) -> AsyncIterator[Send]:
    async with open_producer(at.broker) as producer:

        async def send(records: Sequence[Outgoing]) -> None:
            await producer.send(records, together=True)

        yield send


@asynccontextmanager
async def _confluent(at: Servers) -> AsyncIterator[Send]:
    producer = Producer(
        {
            "bootstrap.servers": at.broker.bootstrap,
            "acks": "all",
            "enable.idempotence": True,
            "compression.type": "zstd",
            "linger.ms": 0,
        }
    )
    loop, ended, turns = asyncio.get_running_loop(), threading.Event(), count()

    def poll() -> None:
        while not ended.is_set():
            producer.poll(0.1)

    async def send(records: Sequence[Outgoing]) -> None:
        done, turn = loop.create_future(), next(turns) % PARTITIONS
        left = len(records)

        def told(error: Any, message: Any) -> None:
            nonlocal left
            left -= 1
            if error is not None:
                loop.call_soon_threadsafe(done.cancel)
            elif left == 0:
                loop.call_soon_threadsafe(done.set_result, None)

        for record in records:
            producer.produce(record.topic, record.value, record.key, turn, told)
        await done

    polling = asyncio.create_task(asyncio.to_thread(poll))
    try:
        yield send
    finally:
        ended.set()
        await polling
        producer.flush(5)
