"""Events per second through trigger's decisions, beside a loop that only fetches and decodes.

    python -m benchmarks.deciding [--events 60000] [--customers 30000] [--json FILE]

Real PostgreSQL (the embedded one, fsync on) and the embedded broker, every poll one transaction
that moves its offsets. One event in ten matches a rule; caps on the customer, the survey, the
channel and the agent, quiet hours, consent, a sample, a target margin, a delay, settling,
cancelling and an experiment are all on. Three loops, each in its turn:

bare      fetched and decoded; nothing is done with them
deciding  fetched, decoded, kept, decided, told to `survey-decisions`, acknowledged, committed; what
          waits for its delay or to settle is decided beside it. The clock stops when all are taken,
          and what then still waits is decided with the clock on whenever something is due
capped    5,000 customers with a past, each with an event that matches, decided in one transaction
"""

import argparse
import asyncio
import gc
import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import uvloop
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.deciding_input import CHANNELS, made_up, past, strict_programme, welcome
from services.trigger.consumer import Intake, build_decoders, build_handle, build_publish
from services.trigger.handlers import Desk, on_batch
from services.trigger.store.ledger import SqlLedger
from services.trigger.worker.due import Due
from shared.db import migrate, open_engine
from shared.embedded.system import Embedded, start_blocking, stop_blocking
from shared.events import PARTITIONS, SurveyDecision, Topic
from shared.programme.models import Programme
from shared.stream import Broker, Outgoing, Pipeline, Source, StreamMetrics, consume
from shared.stream.kafka import open_producer, open_source
from shared.stream.records import Partition

BATCH = 4_000
CAPPED = 5_000
LOOK_AGAIN_S = 0.02
TOPICS = (Topic.SUPPORT_CALLS, Topic.TRANSACTIONS)


@dataclass(frozen=True)
class Taken:
    """How long one loop took for all events."""

    loop: str
    events: int
    seconds: float
    core_us: float

    def line(self) -> str:
        rate = self.events / self.seconds
        return f"{self.loop:10} {rate:10,.0f} events/s {self.core_us:8.1f} us of a core each"


async def measured(loop: str, events: int, work: Callable[[], Awaitable[float]]) -> Taken:
    """Time one loop, with the processor time that this process spends in it.

    `work` says how many of its seconds it only waited.
    """
    gc.collect()
    gc.freeze()  # what the benchmark itself holds is none of the loop's business
    began, core = time.perf_counter(), time.process_time()
    idle = await work()
    spent = time.process_time() - core
    return Taken(loop, events, time.perf_counter() - began - idle, spent / events * 1e6)


async def over_kafka(
    servers: Embedded, records: Sequence[Outgoing], programme: Programme
) -> list[Taken]:
    """Fetching and decoding, then deciding, each as a group of its own."""
    broker, count = Broker(servers.kafka_bootstrap, servers.kafka_log, embedded=True), len(records)
    decoders = build_decoders(programme)
    async with (
        open_engine(servers.database_url, schema="trigger") as engine,
        open_producer(broker) as producer,
    ):
        for first in range(0, count, BATCH):  # the mock serves one batch a partition and fetch
            await producer.send(records[first : first + BATCH])
        handle = build_handle(Intake(programme, CHANNELS, producer, lambda: datetime.now(UTC)))
        metrics = StreamMetrics(CollectorRegistry())
        pipeline = Pipeline("trigger", engine, decoders, handle, producer, metrics)
        due = Due(
            engine,
            build_publish(producer),
            lambda: Desk(programme, CHANNELS, datetime.now(UTC)),
            lambda: None,
        )

        async def bare(source: Source) -> float:
            left = count
            while left > 0:
                for record in await source.poll(0.2):
                    decoders[record.topic](record)
                    left -= 1
                    source.next_of[record.home] = record.offset + 1
            return 0.0

        async with joined(broker, engine, "bench-bare") as source:
            fetched = await measured("bare", count, lambda: bare(source))
        async with joined(broker, engine, "bench-trigger") as source:
            decided = await measured(
                "deciding", count, lambda: until_decided(source, pipeline, due, count)
            )
        await tell_reasons(engine)
    return [fetched, decided]


async def until_decided(source: Source, pipeline: Pipeline, due: Due, events: int) -> float:
    """Run trigger's loops until all is decided; the seconds in which nothing was due."""
    stop = asyncio.Event()

    def note() -> None:
        if sum(source.next_of.values()) >= events:
            stop.set()

    beside = asyncio.create_task(due.run(stop))
    await consume(source, replace(pipeline, after_commit=note), stop)
    await beside
    idle, began, left = 0.0, time.perf_counter(), await waiting(due.engine)
    print(f"  {left:,} still waited when the last event was taken")
    while left:
        if not await due.once():
            paused = time.perf_counter()
            await asyncio.sleep(LOOK_AGAIN_S)
            left = await waiting(due.engine)
            idle += time.perf_counter() - paused
    spent = time.perf_counter() - began
    print(f"  {spent:.2f} s until the last was decided, {idle:.2f} s of it idle")
    return idle


async def waiting(engine: AsyncEngine) -> int:
    """How many events wait."""
    async with engine.connect() as connection:
        return int((await connection.execute(text("SELECT count(*) FROM waiting"))).scalar_one())


@asynccontextmanager
async def joined(broker: Broker, engine: AsyncEngine, group: str) -> AsyncIterator[Source]:
    """A source that has its partitions and stands at their beginning."""
    metrics = StreamMetrics(CollectorRegistry())
    async with open_source(broker, TOPICS, engine, metrics, group=group) as source:
        homes = [Partition(topic, number) for topic in TOPICS for number in range(PARTITIONS)]
        await source.offsets.start(dict.fromkeys(homes, 0))
        while len(source.next_of) < len(homes):
            await source.poll(0.1)
            for home in homes:
                source.rewind(home)
        yield source


async def capped(url: str, programme: Programme) -> Taken:
    """Decide on customers who have a past, in one transaction."""

    async def publish(decisions: Sequence[SurveyDecision]) -> None: ...

    async with open_engine(url, schema="trigger") as engine:
        for round_ in range(3):
            async with engine.begin() as connection:
                desk = Desk(programme, CHANNELS, datetime.now(UTC))
                arrivals = past(round_, CAPPED, desk.now)
                await on_batch(arrivals, [], SqlLedger(connection), publish, desk)
        arrivals = welcome(CAPPED, datetime.now(UTC))

        async def decide() -> float:
            async with engine.begin() as connection:
                desk = Desk(programme, CHANNELS, datetime.now(UTC))
                await on_batch(arrivals, [], SqlLedger(connection), publish, desk)
            return 0.0

        found = await measured("capped", CAPPED, decide)
        await tell_reasons(engine, "WHERE source = '/past' AND event_id LIKE 'new-%'")
    return found


async def tell_reasons(engine: AsyncEngine, where: str = "") -> None:
    """What became of the events, so that nobody believes that they were turned away at the door."""
    query = text(
        f"SELECT trigger, decided, count(*) FROM decisions {where} GROUP BY 1, 2 ORDER BY 1, 3 DESC"
    )
    async with engine.connect() as connection:
        for trigger, reason, number in await connection.execute(query):
            print(f"  {trigger:16}{reason:22}{number:8,}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--customers", type=int, default=30_000)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    told = parser.parse_args()
    records, programme = made_up(told.events, told.customers), strict_programme()
    var = Path(tempfile.mkdtemp(prefix="earshot-bench-"))
    try:
        servers = start_blocking(var, dict.fromkeys(map(str, Topic), PARTITIONS))
        migrate(servers.database_url, "trigger")
        found = uvloop.run(over_kafka(servers, records, programme))
        found.append(uvloop.run(capped(servers.database_url, programme)))
    finally:
        stop_blocking(var)
        shutil.rmtree(var, ignore_errors=True)
    for taken in found:
        print(taken.line())
    ratio = found[0].seconds / found[1].seconds
    print(f"ratio of deciding to bare {ratio:.3f}; capped in {found[2].seconds:.2f} s")
    if told.json is not None:
        told.json.write_text(json.dumps([vars(taken) for taken in found] + [{"ratio": ratio}]))


if __name__ == "__main__":
    main()
