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

import asyncio
import multiprocessing
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import quantiles

import uvloop
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.deciding.events import strict_programme
from benchmarks.dispatching.emitting import Pace, emit
from benchmarks.figures import Cell, Figures, Table, parser
from benchmarks.servers import servers
from services.trigger.app.core import Core
from services.trigger.app.workers import build_workers
from services.trigger.domain.letters import Letter
from services.trigger.pages.links import Links
from services.trigger.settings import TriggerSettings
from services.trigger.store.dispatch import DispatchStore
from services.trigger.worker.dispatch import Dispatch
from shared.clock import CommonClock
from shared.db import open_engine
from shared.flows import FLOWS, group_of
from shared.garbage import look_seldom
from shared.senders import HandOver
from shared.stream import Broker, Health, StreamMetrics
from shared.stream.kafka import open_producer, open_source

IDLE_PER_S = 10
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
class Found:
    """Events per second, the share of a core that this process used, and how late letters were."""

    per_s: float
    core: float
    late: dict[str, tuple[float, ...]]


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
        await asyncio.sleep(DRAIN_S)
        events = await events_of(core.engine) - began
        stop.set()
        await running
    return Found(events / pace.seconds, spent, spread(courier.late_s))


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


def spread(late_s: Mapping[str, list[float]]) -> dict[str, tuple[float, ...]]:
    """Of each kind of letter how many, then p50, p99 and the most in milliseconds."""
    found = {}
    for name, seconds in sorted(late_s.items()):
        cuts = quantiles(seconds, n=100, method="inclusive")
        found[name] = (len(seconds), *(1000 * s for s in (cuts[49], cuts[98], max(seconds))))
    return found


def main() -> None:
    told = parser(__doc__)
    told.add_argument("--rate", type=int, default=1_500)
    told.add_argument("--seconds", type=float, default=20.0)
    arguments = told.parse_args()
    figures = Figures("dispatching")
    rows: list[Sequence[Cell]] = []
    with servers("trigger") as where:
        for pace in (
            Pace(IDLE_PER_S, arguments.seconds, 1.0),
            Pace(arguments.rate, arguments.seconds, 0.1),
        ):
            found = uvloop.run(measure(where.database_url, where.broker, pace))
            for name, figure in found.late.items():
                rows.append((name, found.per_s, found.core, *figure))
    head = (
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
