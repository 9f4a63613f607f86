"""The loops that are measured, as their services build them: scoring's and trigger's."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.deciding.drains import build_deciding
from benchmarks.deciding.events import Kind, strict_programme
from benchmarks.deciding.events import made_up as made_up_events
from benchmarks.scoring.alone import pipeline_of
from benchmarks.scoring.answers import DIMENSIONS
from benchmarks.scoring.answers import made_up as made_up_answers
from benchmarks.scoring.contenders import PAIRS
from services.scoring.domain.cells import Layout
from services.scoring.store import adopt
from shared.db import open_engine
from shared.events import Topic
from shared.stream import Broker, Outgoing, Pipeline, Producer, Source, StreamMetrics, consume
from shared.stream.kafka import open_producer, open_source
from shared.stream.records import Partition

_VALUES, _HOURS = 12, 1
_JOINED_S, _LONGEST_S = 60.0, 120.0
_KIND = Kind(0.1, 10_000)


@dataclass(frozen=True)
class Loop:
    """One service's loop; its name is its schema's, and what it takes are `things`."""

    name: str
    things: str
    topics: tuple[Topic, ...]
    build: Callable[[AsyncEngine, Producer], Awaitable[Pipeline]]
    made_up: Callable[[range], Sequence[Outgoing]]


async def _scoring(engine: AsyncEngine, producer: Producer) -> Pipeline:
    await adopt(engine, Layout(dict.fromkeys(DIMENSIONS, "an event's"), PAIRS))
    return pipeline_of(engine, producer)


async def _trigger(engine: AsyncEngine, producer: Producer) -> Pipeline:
    return build_deciding(engine, producer, strict_programme()).pipeline


def _answers(numbers: range) -> Sequence[Outgoing]:
    return made_up_answers(numbers.stop, _VALUES, _HOURS)[numbers.start :]


def _events(numbers: range) -> Sequence[Outgoing]:
    return made_up_events(_KIND, numbers)


LOOPS: Final = {
    loop.name: loop
    for loop in (
        Loop("scoring", "answers", (Topic.SURVEY_RESPONSES,), _scoring, _answers),
        Loop("trigger", "events", (Topic.SUPPORT_CALLS, Topic.TRANSACTIONS), _trigger, _events),
    )
}


@dataclass(frozen=True)
class Standing:
    """A loop that may begin: it has its partitions, and stands at their beginning."""

    source: Source
    pipeline: Pipeline
    producer: Producer


@asynccontextmanager
async def standing(
    loop: Loop, broker: Broker, url: str, partitions: int
) -> AsyncIterator[Standing]:
    """The loop on a database of its own and on all partitions of topics that have so many."""
    homes = [Partition(topic, number) for topic in loop.topics for number in range(partitions)]
    async with member(loop, broker, url, f"growth-{secrets.token_hex(4)}") as one:
        await one.source.offsets.start(dict.fromkeys(homes, 0))
        async with asyncio.timeout(_JOINED_S):
            while len(one.source.next_of) < len(homes):
                await step(one.source)
        yield one


@asynccontextmanager
async def member(loop: Loop, broker: Broker, url: str, group: str) -> AsyncIterator[Standing]:
    """The loop of one process of a group, which has no partitions yet."""
    metrics = StreamMetrics(CollectorRegistry())
    async with (
        open_engine(url, schema=loop.name, fresh_plans=loop.name == "scoring") as engine,
        open_producer(broker) as producer,
        open_source(broker, loop.topics, engine, metrics, group=group) as source,
    ):
        yield Standing(source, await loop.build(engine, producer), producer)


async def step(source: Source) -> None:
    """Let it join, and take nothing."""
    await source.poll(0.05)
    for home in list(source.next_of):
        source.rewind(home)


class Run:
    """How far a loop has come."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._moved = asyncio.Event()
        self._ended = False

    @property
    def done(self) -> int:
        return sum(self._source.next_of.values())

    def note(self) -> None:
        self._moved.set()

    def end(self, _: asyncio.Task[None]) -> None:
        """Whoever waits hears of it."""
        self._ended = True
        self.note()

    async def until(self, done: int) -> None:
        """Return once so many records are committed.

        Raises TimeoutError, and SystemExit where the loop has ended.
        """
        async with asyncio.timeout(_LONGEST_S):
            while self.done < done:
                if self._ended:
                    raise SystemExit(f"the loop ended at {self.done} of {done}")
                self._moved.clear()
                await self._moved.wait()


@asynccontextmanager
async def running(one: Standing) -> AsyncIterator[Run]:
    """The loop goes on meanwhile; it ends with its batch."""
    stop, run = asyncio.Event(), Run(one.source)
    task = asyncio.create_task(
        consume(one.source, replace(one.pipeline, after_commit=run.note), stop)
    )
    task.add_done_callback(run.end)
    try:
        yield run
    finally:
        stop.set()
        await task
