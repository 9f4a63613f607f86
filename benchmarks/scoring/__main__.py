"""Answers per second through scoring, beside a loop that only fetches and decodes.

    python -m benchmarks.scoring [--answers 60000] [--values 12] [--hours 1] [--grid 20000]
                                 [--json FILE]

Real PostgreSQL (the embedded one, fsync on), 8 dimensions, every poll one transaction that moves
its offsets. Three loops over the same answers, in one process each its turn:

bare      fetched from the embedded broker and decoded; nothing is done with them
scoring   fetched, decoded, recorded, counted, told to `scored-responses`, acknowledged, committed
database  as scoring, but the records lie in memory and what is told is encoded and dropped

Then a grid of `database` alone, with `--grid` answers each (0: none): without pairs of dimensions
and with all 28, where a pair has about 10 segments and where it has 10,000.

The cost of a core beside the rate is the process's own time per answer, without PostgreSQL's.
"""

import argparse
import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import uvloop
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.scoring_alone import (
    DECODERS,
    Taken,
    database,
    measured,
    only_database,
    over_grid,
    pipeline_of,
)
from benchmarks.scoring_input import made_up
from shared.db import migrate
from shared.embedded.system import Embedded, start_blocking, stop_blocking
from shared.events import PARTITIONS, Topic
from shared.stream import (
    Broker,
    Outgoing,
    Pipeline,
    Source,
    StreamMetrics,
    consume,
)
from shared.stream.kafka import open_producer, open_source
from shared.stream.records import Partition

BATCH = 4_000


async def bare(source: Source, answers: int) -> None:
    """Fetch and decode until all have come."""
    read = DECODERS[Topic.SURVEY_RESPONSES]
    while answers > 0:
        for record in await source.poll(0.2):
            read(record)
            answers -= 1
            source.next_of[record.home] = record.offset + 1


async def through_scoring(source: Source, pipeline: Pipeline, answers: int) -> None:
    """Run scoring's loop until all have been counted."""
    stop = asyncio.Event()

    def note() -> None:
        if sum(source.next_of.values()) >= answers:
            stop.set()

    await consume(source, replace(pipeline, after_commit=note), stop)


@asynccontextmanager
async def joined(broker: Broker, engine: AsyncEngine, group: str) -> AsyncIterator[Source]:
    """A source that has its partitions and stands at their beginning."""
    metrics = StreamMetrics(CollectorRegistry())
    topics = [Topic.SURVEY_RESPONSES]
    async with open_source(broker, topics, engine, metrics, group=group) as source:
        homes = [Partition(Topic.SURVEY_RESPONSES, number) for number in range(PARTITIONS)]
        await source.offsets.start(dict.fromkeys(homes, 0))
        while len(source.next_of) < PARTITIONS:
            await source.poll(0.1)
            for home in homes:
                source.rewind(home)
        yield source


async def over_kafka(servers: Embedded, records: Sequence[Outgoing]) -> list[Taken]:
    """Both loops over the embedded broker, each as a group of its own."""
    broker, count = Broker(servers.kafka_bootstrap, servers.kafka_log, embedded=True), len(records)
    async with open_producer(broker) as producer:
        for first in range(0, count, BATCH):  # the mock serves one batch a partition and fetch
            await producer.send(records[first : first + BATCH])
        async with (
            database(servers.database_url, "bare") as engine,
            joined(broker, engine, "bench-bare") as source,
        ):
            fetched = await measured("bare", count, lambda: bare(source, count))
        async with (
            database(servers.database_url, "scoring") as engine,
            joined(broker, engine, "bench-scoring") as source,
        ):
            pipeline = pipeline_of(engine, producer)
            scored = await measured(
                "scoring", count, lambda: through_scoring(source, pipeline, count)
            )
    return [fetched, scored]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=60_000)
    parser.add_argument("--values", type=int, default=12, help="values of each dimension")
    parser.add_argument("--hours", type=int, default=1, help="hours over which they are spread")
    parser.add_argument("--grid", type=int, default=20_000, help="answers of each of the grid's")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    told = parser.parse_args()
    records = made_up(told.answers, told.values, told.hours)
    var = Path(tempfile.mkdtemp(prefix="earshot-bench-"))
    try:
        servers = start_blocking(var, dict.fromkeys(map(str, Topic), PARTITIONS))
        migrate(servers.database_url, "scoring")
        found = uvloop.run(over_kafka(servers, records))
        found.append(uvloop.run(only_database(servers.database_url, records)))
        if told.grid:
            found += uvloop.run(over_grid(servers.database_url, told.grid, told.hours))
    finally:
        stop_blocking(var)
        shutil.rmtree(var, ignore_errors=True)
    for taken in found:
        print(taken.line())
    ratio = found[0].seconds / found[1].seconds
    print(f"ratio of scoring to bare {ratio:.3f}")
    if told.json is not None:
        told.json.write_text(json.dumps([vars(taken) for taken in found] + [{"ratio": ratio}]))


if __name__ == "__main__":
    main()
