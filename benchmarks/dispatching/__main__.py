"""Event to dispatch under load: from before an event is produced to when its letter may leave.

    python -m benchmarks.dispatching [--rate 1500] [--seconds 20] [--json FILE]  # after make kafka

One process is trigger as it is deployed, without its web: every worker, real PostgreSQL (the
embedded one, fsync on) and a real Kafka, for the embedded broker serves one small batch a partition
and fetch; its courier takes each letter as a mail server would, which knows no repeats, and notes
the time. Another process writes events at an even pace; all rules are on. Two runs:

idle    ten events a second, all of which match
loaded  1,500 events a second, one in ten: half of what one process is to decide

A run ends when all events are decided on and no letter is due; a note says how many letters were
sent of how many were expected.

instant   letters of calls, for which nothing is waited
waited    letters of deliveries, from when their delay was over

The first three seconds of each run do not count: connections are opened and statements prepared.
"""

import asyncio
import multiprocessing
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import uvloop
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.dispatching.courier import (
    KINDS,
    Courier,
    events_of,
    letters_owed,
    letters_waiting,
    open_core,
)
from benchmarks.dispatching.emitting import Pace, emit
from benchmarks.figures import Cell, Figures, Table, parser
from benchmarks.servers import servers
from services.trigger.app.workers import build_workers
from shared.flows import FLOWS, group_of
from shared.garbage import look_seldom
from shared.stream import Broker, Health, StreamMetrics
from shared.stream.kafka import open_producer, open_source

IDLE_PER_S = 10
DRAIN_S = 60.0
WARMING = timedelta(seconds=3)


@dataclass(frozen=True)
class Found:
    """Events per second, the share of a core that this process used, and how late letters were.

    `owed` letters should have been sent; `late_s` has the seconds of each that was.
    """

    per_s: float
    core: float
    late_s: Mapping[str, Sequence[float]]
    owed: int


async def measure(url: str, broker: Broker, pace: Pace) -> Found:
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
        look_seldom()  # as `shared.process` does
        began = await events_of(core.engine)
        courier.since = datetime.now(UTC) + WARMING
        spent = await beside(broker, pace)
        await drained(core.engine, began + pace.events)
        events = await events_of(core.engine) - began
        owed = await letters_owed(core.engine, courier.since)
        stop.set()
        await running
    return Found(events / pace.seconds, spent, courier.late_s, owed)


async def drained(engine: AsyncEngine, events: int) -> None:
    """Wait until all events are decided on and no letter is due; a minute at most."""
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_S):
            while await events_of(engine) < events or await letters_waiting(engine):  # noqa: ASYNC110 - of others
                await asyncio.sleep(0.2)


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


def rows_of(load: str, found: Found) -> list[Sequence[Cell]]:
    """Of each kind of letter how many, then p50, p99 and the most in milliseconds."""
    rows: list[Sequence[Cell]] = []
    for kind in KINDS:
        late_s = found.late_s.get(kind, ())
        cuts = 1_000 * np.percentile(late_s, (50, 99, 100)) if late_s else (None, None, None)
        told = [None if cut is None else float(cut) for cut in cuts]
        rows.append((load, kind, found.per_s, found.core, len(late_s), *told))
    return rows


def main() -> None:
    told = parser(__doc__)
    told.add_argument("--rate", type=int, default=1_500)
    told.add_argument("--seconds", type=float, default=20.0)
    arguments = told.parse_args()
    figures = Figures("dispatching")
    rows: list[Sequence[Cell]] = []
    paces = {
        "idle": Pace(IDLE_PER_S, arguments.seconds, 1.0),
        "loaded": Pace(arguments.rate, arguments.seconds, 0.1),
    }
    with servers("trigger") as where:
        for load, pace in paces.items():
            found = uvloop.run(measure(where.database_url, where.broker, pace))
            rows += rows_of(load, found)
            sent = sum(map(len, found.late_s.values()))
            figures.note(f"{load}: {sent} letters sent of {found.owed} expected")
    head = (
        "load",
        "letters",
        "events/s",
        "cores of the process",
        "letters sent",
        "p50, ms",
        "p99, ms",
        "most, ms",
    )
    figures.add(
        Table("dispatch", "From before an event is produced to when it is sent", head, rows)
    )
    figures.write(arguments.json)


if __name__ == "__main__":
    main()
