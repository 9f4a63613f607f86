"""Seconds of alerts' one process that counting and judging take, by minute of event time.

    python -m benchmarks.judging [--stores 44 1046] [--rate 2000] [--minutes 3] [--json FILE]

Real PostgreSQL (the embedded one, fsync on), the consumer that counts and the judge of the service,
one after the other in one process, where the service has them beside each other. Records lie in
memory. Time is made up: what counting and a turn of the judge took, and the judge's rest between
two turns, is how much event time passes, and so many answers wait for the next round. A process
that cannot keep up shows a round that grows and grows; one that can has a share of time left.

counting   decoded, recorded, summed by minute and leaf, committed
closing    closed minutes read, judged and stored for good
looking    open minutes read and looked at for alarms, at each turn

The first minutes, in which streams begin, are left out. Every stream has answers every minute:
no fleet of that size costs more.
"""

import argparse
import gc
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import psutil
import uvloop
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.judging_input import Feed
from benchmarks.judging_rounds import Rounds, Watch, followed
from shared.db import migrate, open_engine
from shared.embedded.system import start_blocking, stop_blocking

WARM_MINUTES = 2
STORES = (44, 1_046)  # 1,030 and 20,068 streams
TABLES = "counted, ticks, remarks, heard, lines, streams, alerts, changes, deliveries, offsets"


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Of one size of fleet; seconds are by minute of event time, shares of one process's time."""

    streams: int
    answers_a_second: float
    counted_a_second: float
    seconds: dict[str, float]
    own_seconds: dict[str, float]
    turns: float
    lost_turns: int
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
            f"  turns in a minute         {self.turns:10.1f}",
            f"  turns lost                {self.lost_turns:10}",
            f"  longest round             {self.longest_round:10.2f} s",
            f"  busy                      {self.busy:10.1%}",
            f"  busy but for PostgreSQL   {self.own:10.1%}",
            f"  memory of a stream        {self.rss_a_stream:10,.0f} bytes of RSS",
        )


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
        lost_turns=rounds.lost,
        longest_round=max(rounds.took),
        busy=sum(rounds.took) / (60 * passed),
        own=(watch.own["counting"] + watch.own["turns of the judge"]) / (60 * passed),
        rss_a_stream=grown / feed.streams,
    )


@asynccontextmanager
async def counted_nothing(url: str) -> AsyncIterator[AsyncEngine]:
    """The schema of alerts, in which nothing stands."""
    async with open_engine(url, schema="alerts") as engine:
        async with engine.begin() as connection:
            await connection.exec_driver_sql(f"TRUNCATE {TABLES}")
        yield engine


def run(url: str, stores: int, rate: float, minutes: float) -> Taken:
    return uvloop.run(over(url, stores, rate, minutes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", type=int, nargs="+", default=STORES, help="19 streams each")
    parser.add_argument("--rate", type=float, default=2_000, help="answers a second of event time")
    parser.add_argument("--minutes", type=float, default=3, help="of event time that are measured")
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
