"""Answers per second through scoring, beside a loop that only fetches and decodes.

`python -m benchmarks.scoring [--answers 100000] [--poll 2000] [--values 12] [--url URL]`: real
PostgreSQL (the embedded one, fsync on, in a folder of its own; or `--url`), 8 dimensions, every
batch one transaction that moves its offsets. What is sent on is encoded and then dropped.
"""

import argparse
import asyncio
import gc
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvloop
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring.consumer import build_decoders, build_handler
from services.scoring.domain.cells import Layout
from services.scoring.store import Book, adopt
from shared.db import migrate, open_engine
from shared.embedded.postgres import start_postgres, stop_postgres
from shared.events import Answers, SurveyResponse, Topic, encode
from shared.stream import Outgoing, Pipeline, Record, StreamMetrics, consume
from shared.stream.offsets import Offsets
from shared.stream.records import Partition

DIMENSIONS = tuple(f"d{number}" for number in range(8))
PARTITIONS = 12


class Dropped:
    """A producer whose broker is a waste-paper basket."""

    def __init__(self) -> None:
        self.sent = 0

    async def send(self, records: Sequence[Outgoing]) -> None:
        self.sent += len(records)


def answers(count: int, values: int, hours: int) -> list[Record]:
    """Made-up answers, the same at each run, spread evenly over the partitions."""
    draw = random.Random(7)
    start = datetime(2026, 11, 21, 10, tzinfo=UTC)
    records = []
    for number in range(count):
        at = start + timedelta(seconds=draw.random() * 3600 * hours)
        response = SurveyResponse(
            id=f"r-{draw.getrandbits(80):020x}",
            submission_id=f"r-{number}",
            survey="post-delivery",
            metric="nps",
            scale=(0, 10),
            customer_id=f"c-{draw.randrange(100_000)}",
            segments={name: f"value {int(values * draw.random())}" for name in DIMENSIONS},
            answers=Answers(
                score=draw.choices(range(11), (1, 1, 1, 1, 1, 2, 2, 4, 5, 8, 9))[0],
                reasons=("delivery-late",) if number % 3 else (),
                comment="It came two days late, and nobody said so." if number % 4 == 0 else None,
            ),
            language="en",
            channel="web",
            answered_at=at,
            received_at=at + timedelta(seconds=1),
        )
        home = number % PARTITIONS
        offset = number // PARTITIONS
        value = encode(response)
        records.append(
            Record(Topic.SURVEY_RESPONSES, home, offset, None, value, (), int(at.timestamp() * 1e3))
        )
    return records


def polls(records: list[Record], size: int) -> Iterator[list[Record]]:
    for first in range(0, len(records), size):
        yield records[first : first + size]


@contextmanager
def database(url: str | None) -> Iterator[str]:
    """The database asked for, else an embedded one that is gone afterwards."""
    if url is not None:
        yield url
        return
    var = Path(tempfile.mkdtemp(prefix="earshot-bench-"))
    try:
        yield start_postgres(var).url
    finally:
        stop_postgres(var)
        shutil.rmtree(var, ignore_errors=True)


class Memory:
    """A source that has fetched everything already."""

    def __init__(self, batches: list[list[Record]], offsets: Offsets, stop: asyncio.Event) -> None:
        self._batches = iter(batches)
        self._stop = stop
        self.offsets = offsets
        self.next_of: dict[Partition, int] = {}
        self.newest_ms = 0
        self.placed = True

    async def poll(self, wait_s: float) -> list[Record]:  # noqa: ARG002
        batch = next(self._batches, [])
        if not batch:
            self._stop.set()
        return batch

    async def idle(self, wait_s: float) -> None:
        raise RuntimeError(f"a benchmark has no weather, not even for {wait_s} s")

    def commit_best_effort(self) -> None: ...

    def lag(self) -> dict[Partition, int]:
        return {}

    def pause_topic(self, topic: str) -> None: ...

    def resume_topic(self, topic: str) -> None: ...

    def replace(self, home: Partition) -> None:
        raise RuntimeError(f"{home} has another owner")

    def rewind(self, home: Partition) -> None:
        raise RuntimeError(f"{home} is poison")


async def through_scoring(
    engine: AsyncEngine, batches: list[list[Record]], log: str
) -> tuple[float, int]:
    """Seconds for decode, record, count, encode and commit of all batches, and what was sent."""
    producer, stop = Dropped(), asyncio.Event()
    source = Memory(batches, Offsets(engine, group="bench", log=log), stop)
    homes = [Partition(Topic.SURVEY_RESPONSES, number) for number in range(PARTITIONS)]
    source.next_of = await source.offsets.start(dict.fromkeys(homes, 0))
    pipeline = Pipeline(
        service="scoring",
        engine=engine,
        decode=build_decoders(()),
        handle=build_handler(
            Book(), producer, lambda _: "transactional", lambda: datetime.now(UTC)
        ),
        producer=producer,
        metrics=StreamMetrics(CollectorRegistry()),
    )
    began = time.perf_counter()
    await consume(source, pipeline, stop)
    return time.perf_counter() - began, producer.sent


async def twice(url: str, batches: list[list[Record]]) -> list[tuple[float, int]]:
    """All of it as new answers, then once more as repeats."""
    async with open_engine(url, schema="scoring") as engine:
        await adopt(engine, Layout(dict.fromkeys(DIMENSIONS)))
        return [await through_scoring(engine, batches, log) for log in ("first", "second")]


def fetch_and_decode(batches: list[list[Record]]) -> float:
    """Seconds for the same batches when nothing is done with them."""
    reader: Callable[[Record], object] = build_decoders(())[Topic.SURVEY_RESPONSES]
    began = time.perf_counter()
    for batch in batches:
        for record in batch:
            reader(record)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--answers", type=int, default=100_000)
    parser.add_argument("--poll", type=int, default=2_000)
    parser.add_argument("--values", type=int, default=12, help="values of each dimension")
    parser.add_argument("--hours", type=int, default=1, help="hours over which they are spread")
    parser.add_argument("--url", help="PostgreSQL 18 to use in place of the embedded one")
    told = parser.parse_args()
    records = answers(told.answers, told.values, told.hours)
    batches = list(polls(records, told.poll))
    gc.collect()
    gc.freeze()  # a consumer holds one poll, not all of them
    with database(told.url) as url:
        migrate(url, "scoring")
        (seconds, sent), (again, repeated) = uvloop.run(twice(url, batches))
    bare = fetch_and_decode(batches)
    print(f"{told.answers} answers, {len(DIMENSIONS)} dimensions, {told.poll} a poll")
    print(f"fetch and decode only   {told.answers / bare:10,.0f} answers/s")
    print(f"through scoring         {told.answers / seconds:10,.0f} answers/s ({sent} sent)")
    print(f"the same ones again     {told.answers / again:10,.0f} answers/s ({repeated} sent)")
    print(f"ratio, scoring to bare  {bare / seconds:10.3f}")


if __name__ == "__main__":
    main()
