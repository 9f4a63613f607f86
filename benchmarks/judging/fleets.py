"""One size of fleet: minutes with a judge, then rounds of counting; in a process of its own."""

import gc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median

import psutil
import uvloop
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks import draining
from benchmarks.judging.answers import Feed
from benchmarks.judging.counting import counting_rounds
from benchmarks.judging.rounds import Rounds, Watch, followed
from benchmarks.servers import Servers
from shared.db import open_engine
from shared.garbage import look_seldom

WARM_MINUTES = 2
TABLES = "counted, ticks, remarks, heard, lines, streams, alerts, changes, deliveries"
TURNS = "turns of the judge"


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Of one size of fleet; seconds are by minute of event time."""

    seconds: dict[str, float]
    own_seconds: dict[str, float]
    turns: float
    lost_turns: int
    longest_round: float
    busy: float
    rss_a_stream: float


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Of one size of fleet: minutes with a judge, and rounds of (fetched and decoded, counted)."""

    streams: int
    judged: Judged
    rounds: Sequence[tuple[draining.Taken, draining.Taken]]

    @property
    def per_s(self) -> float:
        """Answers a second that it counts and judges."""
        counted = median(counted.per_s for _, counted in self.rounds)
        return counted * max(0.0, 1 - self.judged.seconds[TURNS] / 60)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the command line asks for."""

    rate: float
    minutes: float
    answers: int
    rounds: int


async def judged(engine: AsyncEngine, feed: Feed, minutes: float) -> Judged:
    """Let so many minutes of event time pass, after some that warm up."""
    watch = Watch()
    rounds = Rounds(engine, feed, watch)
    await rounds.begin()
    look_seldom()  # as a service does
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
    return Judged(
        seconds={name: spent / passed for name, spent in watch.seconds.items()},
        own_seconds={name: spent / passed for name, spent in watch.own.items()},
        turns=len(rounds.took) / passed,
        lost_turns=rounds.lost,
        longest_round=max(rounds.took),
        busy=sum(rounds.took) / (60 * passed),
        rss_a_stream=grown / feed.streams,
    )


async def over(where: Servers, stores: int, asked: Asked) -> Taken:
    feed = Feed(stores, asked.rate)
    async with counted_nothing(where.database_url) as engine:
        found = await judged(engine, feed, asked.minutes)
    async with counted_nothing(where.database_url) as engine:
        rounds = await counting_rounds(where, engine, feed, asked.answers, asked.rounds)
    return Taken(streams=feed.streams, judged=found, rounds=rounds)


@asynccontextmanager
async def counted_nothing(url: str) -> AsyncIterator[AsyncEngine]:
    """The schema of alerts, in which nothing stands but where groups have come to."""
    async with open_engine(url, schema="alerts") as engine:
        async with engine.begin() as connection:
            await connection.exec_driver_sql(f"TRUNCATE {TABLES}")
        yield engine


def run(where: Servers, stores: int, asked: Asked) -> Taken:
    return uvloop.run(over(where, stores, asked))
