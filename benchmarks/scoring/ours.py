"""Earshot's scoring, and a loop that only fetches and decodes, as contenders.

python -m benchmarks.scoring.ours bare|scoring
"""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import structlog
import uvloop
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.rivals.telling import Telling
from benchmarks.scoring.alone import DECODERS, pipeline_of
from benchmarks.scoring.answers import DIMENSIONS
from benchmarks.scoring.contenders import PAIRS
from services.scoring.domain.cells import Layout
from services.scoring.store import adopt
from services.scoring.tables import SUMS
from shared.db import open_engine
from shared.events import Topic
from shared.garbage import look_seldom
from shared.migrating import migrate
from shared.stream import Broker, Record, Source, StreamMetrics, consume
from shared.stream.kafka import open_producer, open_source

_READ = (
    f"SELECT s.slice, s.values, c.hour, {', '.join(SUMS[:11])}"
    " FROM scoring.counts c JOIN scoring.series s ON s.id = c.series"
)


@asynccontextmanager
async def opened(told: Telling) -> AsyncIterator[tuple[Broker, AsyncEngine, Source]]:
    """The source as scoring opens it; it says when records come."""
    topic, group = os.environ["TOPIC"], os.environ["GROUP"]
    prefix = topic.removesuffix(Topic.SURVEY_RESPONSES)
    broker = Broker(os.environ["BOOTSTRAP"], log=group, prefix=prefix, session_s=6.0)
    metrics, topics = StreamMetrics(CollectorRegistry()), [Topic.SURVEY_RESPONSES]
    async with (
        open_engine(os.environ["DATABASE_URL"], schema="scoring", fresh_plans=True) as engine,
        open_source(broker, topics, engine, metrics, group=group) as source,
    ):
        poll: Callable[..., Awaitable[list[Record]]] = source.poll

        async def watched(wait_s: float, *, ahead: bool = False) -> list[Record]:
            records = await poll(wait_s, ahead=ahead)
            if records:
                told.came(sum(source.next_of.values()))
            return records

        source.poll = watched  # type: ignore[method-assign]
        yield broker, engine, source


async def bare(told: Telling) -> None:
    """Fetch and decode; nothing is done with it."""
    read, done = DECODERS[Topic.SURVEY_RESPONSES], 0
    async with opened(told) as (_, _, source):
        while not told.idle:
            for record in await source.poll(0.2):
                read(record)
                source.next_of[record.home] = record.offset + 1
                done += 1
            told.committed(done)  # nothing is; it says when the last was decoded
    told.finish(())


async def scoring(told: Telling) -> None:
    """Scoring's own loop, wired as its service wires it, until no answer comes."""
    stop = asyncio.Event()
    async with opened(told) as (broker, engine, source), open_producer(broker) as producer:
        await adopt(engine, Layout(dict.fromkeys(DIMENSIONS, "an event's"), PAIRS))

        def after_commit() -> None:
            told.committed(sum(source.next_of.values()))

        async def end_when_idle() -> None:
            await told.until_idle()
            stop.set()

        pipeline = replace(pipeline_of(engine, producer), after_commit=after_commit)
        await asyncio.gather(consume(source, pipeline, stop), end_when_idle())
    told.finish(await counted())


async def counted() -> list[tuple[str, tuple[int, ...]]]:
    """What stands in the tables, in the contract's words."""
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    cells: list[tuple[str, tuple[int, ...]]] = []
    for slice_, values, hour, *points in await connection.fetch(_READ):
        at = datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%dT%H:00:00Z")
        score = sum(point * number for point, number in enumerate(points))
        shares = sum(points[:7]), sum(points[7:9]), sum(points[9:])
        cells.append((f"{slice_}|{','.join(values)}|{at}", (sum(points), score, *shares)))
    await connection.close()
    return cells


def main() -> None:
    logging.disable()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    migrate(os.environ["DATABASE_URL"], "scoring")
    look_seldom()  # as every service's process does
    uvloop.run({"bare": bare, "scoring": scoring}[sys.argv[1]](Telling()))


if __name__ == "__main__":
    main()
