"""Seconds of alerts' one process that counting and judging take, by minute of event time.

    python -m benchmarks.judging [--stores 50 1050] [--rate 2000] [--minutes 5] [--json FILE]

Real PostgreSQL (the embedded one, fsync on), the consumer that counts and the judge of the service,
one after the other in one process, where the service has them beside each other. Records lie in
memory. Time is made up: what counting and a turn of the judge took, and the judge's rest between
two turns, is how much event time passes, and so many answers wait for the next round. A process
that cannot keep up shows a round that grows and grows; one that can has a share of time left.

counting   decoded, recorded, summed by minute and leaf, committed
closing    closed minutes read, judged, stored for good: `read`, `judge`, `store`
looking    open minutes looked at for alarms, turn by turn

The first minutes, in which streams begin, are left out. Every stream has answers every minute:
no fleet of that size costs more.
"""

import argparse
import asyncio
import gc
import json
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil
import uvloop
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.judging_input import LATTICE, Feed
from benchmarks.scoring_input import Dropped, Memory
from services.alerts.consumer import GROUP, build_decoders, build_handler
from services.alerts.domain.terms import Policy
from services.alerts.worker import courtroom
from services.alerts.worker.courtroom import Terms
from services.alerts.worker.judge import Judge
from services.alerts.worker.lookout import Lookout, Where
from shared.clock import utc_now
from shared.db import migrate, open_engine
from shared.embedded.system import start_blocking, stop_blocking
from shared.events import PARTITIONS, Topic
from shared.stream import Pipeline, StreamMetrics, consume
from shared.stream.offsets import Offsets
from shared.stream.records import Partition

LOG = "memory"
REST_S = 0.5  # of the judge between two turns
WARM_MINUTES = 2
LOST_S = 60.0  # a round as long as that is of a process that cannot keep up
STORES = (50, 1_050)  # 1,127 and 20,095 streams
HOMES = [Partition(Topic.SCORED_RESPONSES, number) for number in range(PARTITIONS)]
PARTS = {
    "read_chunk": "closing: read",
    "judge_minute": "closing: judge",
    "write_fleet": "closing: store",
    "read_open": "looking: read",
    "look_ahead": "looking: judge",
}
TABLES = "counted, ticks, remarks, heard, lines, streams, alerts, changes, deliveries, offsets"


@dataclass
class Watch:
    """Seconds spent in each part, and those of them that were this process's own."""

    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    own: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    async def over(self, name: str, work: Awaitable[Any]) -> Any:
        began, own = time.perf_counter(), time.process_time()
        try:
            return await work
        finally:
            self.seconds[name] += time.perf_counter() - began
            self.own[name] += time.process_time() - own

    def follow(self, called: Callable[..., Awaitable[Any]], name: str) -> Callable[..., Any]:
        return lambda *given: self.over(name, called(*given))


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Of one size of fleet; seconds are by minute of event time, shares of one process's time."""

    streams: int
    answers_a_second: float
    counted_a_second: float
    seconds: dict[str, float]
    own_seconds: dict[str, float]
    turns: float
    longest_round: float
    busy: float
    own: float
    rss_a_stream: float

    def lines(self) -> Sequence[str]:
        return (
            f"{self.streams:,} streams, {self.answers_a_second:,.0f} answers/s of event time:",
            f"  counted alone             {self.counted_a_second:10,.0f} answers/s",
            *(
                f"  {name:25} {spent:10.2f} s {self.own_seconds[name]:8.2f} s but for PostgreSQL"
                for name, spent in sorted(self.seconds.items())
            ),
            f"  turns of the judge        {self.turns:10.1f}",
            f"  longest round             {self.longest_round:10.2f} s",
            f"  busy                      {self.busy:10.1%}",
            f"  busy but for PostgreSQL   {self.own:10.1%}",
            f"  memory of a stream        {self.rss_a_stream:10,.0f} bytes of RSS",
        )


class Rounds:
    """Counts what came and lets the judge take its turn, again and again."""

    def __init__(self, engine: AsyncEngine, feed: Feed, watch: Watch) -> None:
        self._offsets = Offsets(engine, group=GROUP, log=LOG)
        handle, metrics = build_handler(LOG), StreamMetrics(CollectorRegistry())
        decoders = build_decoders(LATTICE)
        self._pipeline = Pipeline("alerts", engine, decoders, handle, Dropped(), metrics)
        lookout = Lookout(self._ends, Where(GROUP, LOG, Topic.SCORED_RESPONSES), settle_s=0)
        self._judge = Judge(engine, lookout, Terms(Policy(), LATTICE, {}, utc_now))
        self._feed = feed
        self._watch = watch
        self._next_of: dict[Partition, int] = {}
        self._waits_s = REST_S  # of event time, to be counted in the next round
        self.took: list[float] = []

    async def begin(self) -> None:
        self._next_of = await self._offsets.start(dict.fromkeys(HOMES, 0))

    async def pass_minutes(self, minutes: float) -> float:
        """Take rounds until so many minutes of event time are over; give how many that were."""
        passed_s = 0.0
        while passed_s < 60 * minutes:
            passed_s += self._waits_s
            self._waits_s = REST_S + await self._take(round(self._waits_s * self._feed.rate))
            if self._waits_s > LOST_S:
                break
        return passed_s / 60

    async def end(self) -> None:
        await self._judge.abdicate()

    async def _take(self, answers: int) -> float:
        stop, records = asyncio.Event(), self._feed.take(answers)
        source = Memory(records, self._offsets, stop)
        source.next_of = self._next_of
        began = time.perf_counter()
        await self._watch.over("counting", consume(source, self._pipeline, stop))
        await self._watch.over("judge in all", self._turn())
        self._next_of = source.next_of
        self.took.append(time.perf_counter() - began)
        return self.took[-1]

    async def _turn(self) -> None:
        while await self._judge.turn():
            pass

    async def _ends(self) -> Mapping[int, int]:
        return self._feed.nexts


async def over(url: str, stores: int, rate: float, minutes: float) -> Taken:
    """Let so many minutes of event time pass, after some that warm up."""
    feed, watch = Feed(stores, rate), Watch()
    async with counted_nothing(url) as engine:
        rounds = Rounds(engine, feed, watch)
        await rounds.begin()
        gc.collect()
        before = psutil.Process().memory_info().rss
        with followed(watch):
            await rounds.pass_minutes(WARM_MINUTES)
            watch.seconds.clear()
            watch.own.clear()
            rounds.took.clear()
            passed = await rounds.pass_minutes(minutes)
        gc.collect()
        grown = psutil.Process().memory_info().rss - before
        await rounds.end()
    return Taken(
        streams=feed.streams,
        answers_a_second=rate,
        counted_a_second=60 * passed * rate / watch.seconds["counting"],
        seconds={name: spent / passed for name, spent in watch.seconds.items()},
        own_seconds={name: spent / passed for name, spent in watch.own.items()},
        turns=len(rounds.took) / passed,
        longest_round=max(rounds.took),
        busy=sum(rounds.took) / (60 * passed),
        own=(watch.own["counting"] + watch.own["judge in all"]) / (60 * passed),
        rss_a_stream=grown / feed.streams,
    )


@asynccontextmanager
async def counted_nothing(url: str) -> AsyncIterator[AsyncEngine]:
    """The schema of alerts, in which nothing stands."""
    async with open_engine(url, schema="alerts") as engine:
        async with engine.begin() as connection:
            await connection.exec_driver_sql(f"TRUNCATE {TABLES}")
        yield engine


@contextmanager
def followed(watch: Watch) -> Iterator[None]:
    """What the judge calls is timed meanwhile."""
    called = {name: getattr(courtroom, name) for name in PARTS}
    for name, part in PARTS.items():
        setattr(courtroom, name, watch.follow(called[name], part))
    try:
        yield
    finally:
        for name, before in called.items():
            setattr(courtroom, name, before)


def run(url: str, stores: int, rate: float, minutes: float) -> Taken:
    return uvloop.run(over(url, stores, rate, minutes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", type=int, nargs="+", default=STORES, help="27 streams each")
    parser.add_argument("--rate", type=float, default=2_000, help="answers a second of event time")
    parser.add_argument("--minutes", type=float, default=5, help="of event time that are measured")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    told = parser.parse_args()
    var = Path(tempfile.mkdtemp(prefix="earshot-bench-"))
    found = []
    try:
        url = start_blocking(var, None).database_url
        migrate(url, "alerts")
        for stores in told.stores:  # a process each, for its memory
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                found.append(pool.submit(run, url, stores, told.rate, told.minutes).result())
            print(*found[-1].lines(), sep="\n", flush=True)
    finally:
        stop_blocking(var)
        shutil.rmtree(var, ignore_errors=True)
    if told.json is not None:
        told.json.write_text(json.dumps([asdict(taken) for taken in found]))


if __name__ == "__main__":
    main()
