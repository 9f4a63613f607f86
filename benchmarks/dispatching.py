"""Event to dispatch under load: from before an event is produced to when its letter may leave.

    python -m benchmarks.dispatching [--rate 1500] [--seconds 20] [--json FILE]  # after make kafka

One process is trigger as it is deployed, without its web: every worker, real PostgreSQL (the
embedded one, fsync on) and a real Kafka, for the embedded broker serves one small batch a partition
and fetch; its courier takes each letter as a mail server would, which knows no repeats, and notes
the time. Another process writes events at an even pace; all rules are on. Two runs:

idle    ten events a second, all of which match
loaded  1,500 events a second, one in ten: half of what one process is to decide

instant   letters of calls, for which nothing is waited
waited    letters of deliveries, from when their delay was over

The first three seconds of each run do not count: connections are opened and statements prepared.
"""

import argparse
import asyncio
import gc
import json
import multiprocessing
import shutil
import tempfile
import time
from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from statistics import quantiles
from typing import Any

import uvloop
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.deciding_input import record_of, strict_programme
from services.trigger.app.core import Core
from services.trigger.app.workers import build_workers
from services.trigger.domain.letters import Letter
from services.trigger.pages.links import Links
from services.trigger.settings import TriggerSettings
from services.trigger.store.dispatch import DispatchStore
from services.trigger.worker.dispatch import Dispatch
from shared.clock import CommonClock
from shared.db import migrate, open_engine
from shared.embedded.kraft import ToolMissing, start_kraft, stop_kraft
from shared.embedded.system import start_blocking, stop_blocking
from shared.flows import FLOWS, group_of
from shared.senders import HandOver
from shared.stream import Broker, Health, StreamMetrics
from shared.stream.kafka import create_topics, open_producer, open_source

CUSTOMERS = 30_000
IDLE_PER_S = 10
TURN_S = 0.01
DRAIN_S = 6.0
WARMING = timedelta(seconds=3)
DELAYS = {"usual": timedelta(seconds=2), "later": timedelta(seconds=3)}


@dataclass
class Courier:
    """Takes letters as a mail server does, and notes how late each is."""

    since: datetime
    late_s: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    repeatable = False
    capacity = 64

    async def send(self, letter: Letter, hand_over: HandOver) -> None:
        """Take it: as late as when it may have left, for that has to be known before."""
        await hand_over()
        invitation = letter.invitation
        if invitation.event.time < self.since:
            return
        late = (datetime.now(UTC) - invitation.event.time).total_seconds()
        if invitation.trigger == "after-call":
            self.late_s["instant"].append(late)
        elif invitation.variant is not None:
            self.late_s["waited"].append(late - DELAYS[invitation.variant].total_seconds())


@dataclass(frozen=True)
class Pace:
    """How many events a second, for how long, and the share of them that matches a rule."""

    rate: int
    seconds: float
    share: float


def emit(broker: Broker, pace: Pace) -> None:
    """Write events at an even pace; a process of its own."""
    uvloop.run(_emit(broker, pace))


async def _emit(broker: Broker, pace: Pace) -> None:
    luck, first, under_way = Random(7), pace.rate * 1_000_000, set[asyncio.Task[None]]()
    async with open_producer(broker) as producer:
        began, sent = time.perf_counter(), 0
        while (gone := time.perf_counter() - began) < pace.seconds:
            due, now = int(gone * pace.rate), datetime.now(UTC)
            numbers = range(first + sent, first + due)
            records = [record_of(n, luck, CUSTOMERS, now, pace.share) for n in numbers]
            if records:
                under_way.add(asyncio.create_task(producer.send(records)))
            sent = due
            await asyncio.sleep(TURN_S)
        await asyncio.gather(*under_way)


async def measure(url: str, broker: Broker, pace: Pace) -> dict[str, Any]:
    """Run trigger while another process emits; how late its letters were."""
    courier, stop = Courier(datetime.max.replace(tzinfo=UTC)), asyncio.Event()
    async with AsyncExitStack() as stack:
        core = await open_core(url, courier, stack)
        producer = await stack.enter_async_context(open_producer(broker))
        metrics = StreamMetrics(CollectorRegistry())
        opening = open_source(
            broker, FLOWS["trigger"].reads, core.engine, metrics, group=group_of("trigger")
        )
        source, health = await stack.enter_async_context(opening), Health()
        workers = build_workers(core, producer, source, health)
        running = asyncio.gather(*(worker(stop) for worker in workers))
        await placed(health)
        gc.collect()
        gc.freeze()  # as `shared.process` does
        began = await events_of(core.engine)
        courier.since = datetime.now(UTC) + WARMING
        spent = await beside(broker, pace)
        await asyncio.sleep(DRAIN_S)
        events = await events_of(core.engine) - began
        stop.set()
        await running
    late = {name: spread(found) for name, found in sorted(courier.late_s.items())}
    return {
        "events": events,
        "per_s": round(events / pace.seconds),
        "core": round(spent, 2),
        **late,
    }


async def placed(health: Health) -> None:
    """Wait until the consumer stands in its group. Raises TimeoutError."""
    async with asyncio.timeout(30):
        while True:
            await asyncio.sleep(0.05)
            if health.fault() is None:
                return


async def beside(broker: Broker, pace: Pace) -> float:
    """Let the other process emit; how much of a core this one used meanwhile."""
    context = multiprocessing.get_context("spawn")
    emitter = context.Process(target=emit, args=(broker, pace))
    emitter.start()
    began, core = time.perf_counter(), time.process_time()
    await asyncio.to_thread(emitter.join)
    if emitter.exitcode:
        raise SystemExit("the emitter failed")
    return (time.process_time() - core) / (time.perf_counter() - began)


async def open_core(url: str, courier: Courier, stack: AsyncExitStack) -> Core:
    """What trigger's workers stand on: all as deployed but the programme and the courier."""
    settings = TriggerSettings(
        kafka_bootstrap="127.0.0.1:1",
        database_url=SecretStr(url),
        token_keys=SecretStr("0123456789abcdef" * 2),
    )
    opening = open_engine(url, schema="trigger")
    engine = await stack.enter_async_context(opening)
    clock, programme = CommonClock(engine), strict_programme()
    await clock.look()
    store = DispatchStore(engine, repeatable=set())
    dispatch = Dispatch(store, {"email": courier}, clock, programme)
    links = Links("http://localhost", settings.tokens)
    return Core(settings, programme, engine, dispatch, links, clock)


async def events_of(engine: AsyncEngine) -> int:
    """How many events have been decided on or wait."""
    async with engine.connect() as connection:
        return int((await connection.execute(text("SELECT count(*) FROM events"))).scalar_one())


def spread(seconds: list[float]) -> dict[str, float]:
    cuts = quantiles(seconds, n=100)
    found = {"p50_ms": cuts[49], "p99_ms": cuts[98], "max_ms": max(seconds)}
    return {"n": len(seconds), **{name: round(s * 1000, 1) for name, s in found.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=1_500)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    told = parser.parse_args()
    var = Path(tempfile.mkdtemp(prefix="earshot-bench-"))
    try:
        url, kafka = start_blocking(var, None).database_url, start_kraft(var)
        migrate(url, "trigger")
        asyncio.run(create_topics(kafka.bootstrap, replication=1))
        broker = Broker(kafka.bootstrap, kafka.log)
        found = {
            "idle": uvloop.run(measure(url, broker, Pace(IDLE_PER_S, told.seconds, 1.0))),
            "loaded": uvloop.run(measure(url, broker, Pace(told.rate, told.seconds, 0.1))),
        }
    except ToolMissing as missing:
        raise SystemExit(f"no real Kafka: {missing}") from None
    finally:
        stop_kraft(var)
        stop_blocking(var)
        shutil.rmtree(var, ignore_errors=True)
    for name, figures in found.items():
        print(name, json.dumps(figures))
    if told.json is not None:
        told.json.write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
