"""A topic is drained by a group: the loop that does nothing, which others are compared with."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.spent import Meter
from shared.events import PARTITIONS
from shared.garbage import look_seldom
from shared.stream import Broker, Source, StreamMetrics
from shared.stream.kafka import open_source
from shared.stream.offsets import Move
from shared.stream.pipeline import Decode
from shared.stream.records import Partition


@dataclass(frozen=True)
class Taken:
    """What one loop took for each record: by the clock, and µs of ours and PostgreSQL's."""

    per_s: float
    own_us: float
    postgres_us: float


async def measured(meter: Meter, records: int, work: Callable[[], Awaitable[float]]) -> Taken:
    """Time one loop; `work` says how many of its seconds it only waited."""
    look_seldom()  # as a service does; what the benchmark holds is none of the loop's business
    with meter.over() as spent:
        idle = await work()
    each = 1e6 / records
    return Taken(records / (spent.clock_s - idle), spent.own_s * each, spent.postgres_s * each)


@asynccontextmanager
async def joined(
    broker: Broker, engine: AsyncEngine, group: str, topics: Sequence[str]
) -> AsyncIterator[Source]:
    """A source that has its partitions and stands where its group has come to."""
    metrics = StreamMetrics(CollectorRegistry())
    homes = [Partition(topic, number) for topic in topics for number in range(PARTITIONS)]
    async with open_source(broker, topics, engine, metrics, group=group) as source:
        await source.offsets.start(dict.fromkeys(homes, 0))
        while len(source.next_of) < len(homes):
            await source.poll(0.1)
            for home in homes:
                source.rewind(home)
        yield source


async def until_decoded(source: Source, decoders: Mapping[str, Decode], records: int) -> float:
    """Fetch and decode so many records; no second of it is idle."""
    left = records
    while left > 0:
        for record in await source.poll(0.2):
            decoders[record.topic](record)
            left -= 1
            source.next_of[record.home] = record.offset + 1
    return 0.0


async def keep_places(source: Source) -> None:
    """Store where a source stands, whose loop does not."""
    old = await source.offsets.read(source.next_of)
    moves = [Move(home, old[home], new) for home, new in source.next_of.items()]
    await source.offsets.advance([move for move in moves if move.old != move.new])
