"""Scoring's loop over records that lie in memory: decoded, recorded, counted, committed."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations

from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.scoring.answers import DIMENSIONS, Dropped, Memory, made_up
from services.scoring.consumer import build_decoders, build_handler
from services.scoring.domain.cells import Layout
from services.scoring.store import Book, adopt
from shared.db import open_engine
from shared.events import PARTITIONS, Topic
from shared.stream import Outgoing, Pipeline, Producer, Record, StreamMetrics, consume
from shared.stream.offsets import Offsets
from shared.stream.records import Partition

DECODERS = build_decoders(())


@dataclass(frozen=True)
class Taken:
    """How long one loop took for all answers."""

    loop: str
    answers: int
    seconds: float
    core_us: float

    def line(self) -> str:
        rate = self.answers / self.seconds
        return f"{self.loop:26} {rate:10,.0f} answers/s {self.core_us:8.1f} us of a core each"


async def measured(loop: str, answers: int, work: Callable[[], Awaitable[None]]) -> Taken:
    """Time one loop, with the processor time that this process spends in it."""
    gc.collect()
    gc.freeze()  # what the benchmark itself holds is none of the loop's business
    began, core = time.perf_counter(), time.process_time()
    await work()
    spent = time.process_time() - core
    return Taken(loop, answers, time.perf_counter() - began, spent / answers * 1e6)


def pipeline_of(engine: AsyncEngine, producer: Producer) -> Pipeline:
    """Scoring, as its service wires it."""
    handle = build_handler(Book(), producer, lambda _: "transactional", lambda: datetime.now(UTC))
    metrics = StreamMetrics(CollectorRegistry())
    return Pipeline("scoring", engine, DECODERS, handle, producer, metrics)


@asynccontextmanager
async def database(
    url: str, name: str, pairs: Sequence[tuple[str, str]] = ()
) -> AsyncIterator[AsyncEngine]:
    """A schema without answers, that of this loop alone."""
    async with open_engine(url, schema="scoring") as engine:
        async with engine.begin() as connection:
            for table in ("answers", "counts"):
                await connection.exec_driver_sql(f"TRUNCATE {table}")
        await adopt(engine, Layout(dict.fromkeys(DIMENSIONS, name), tuple(pairs)))
        yield engine


async def only_database(
    url: str,
    records: Sequence[Outgoing],
    loop: str = "database",
    pairs: Sequence[tuple[str, str]] = (),
) -> Taken:
    """Decode, record, count and commit; no broker."""
    stop = asyncio.Event()
    lying = [
        Record(record.topic, place % PARTITIONS, place // PARTITIONS, None, record.value, (), 0)
        for place, record in enumerate(records)
    ]
    async with database(url, loop, pairs) as engine:
        source = Memory(lying, Offsets(engine, group=f"bench {loop}", log="memory"), stop)
        homes = [Partition(Topic.SURVEY_RESPONSES, number) for number in range(PARTITIONS)]
        source.next_of = await source.offsets.start(dict.fromkeys(homes, 0))
        pipeline = pipeline_of(engine, Dropped())
        return await measured(loop, len(records), lambda: consume(source, pipeline, stop))


async def over_grid(url: str, answers: int, hours: int) -> list[Taken]:
    """Without pairs and with all of them, in few segments and in many."""
    found = []
    for values in (3, 100):
        records = made_up(answers, values, hours)
        for pairs in ((), tuple(combinations(DIMENSIONS, 2))):
            loop = f"{len(pairs)} pairs, {values**2:,} segments"
            found.append(await only_database(url, records, loop, pairs))
    return found
