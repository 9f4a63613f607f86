"""The rounds of the judging benchmark: what came is counted, then the judge takes its turn."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from typing import Any

from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.judging.answers import LATTICE, Feed
from benchmarks.scoring.answers import Dropped, Memory
from services.alerts.consumer import GROUP, build_decoders, build_handler
from services.alerts.domain.detector import Detector
from services.alerts.domain.terms import Policy
from services.alerts.worker import courtroom
from services.alerts.worker.courtroom import Courtroom, Terms
from services.alerts.worker.judge import Judge
from services.alerts.worker.lookout import Lookout, Where
from shared.clock import utc_now
from shared.db import AWAY
from shared.events import PARTITIONS, Topic
from shared.stream import Pipeline, StreamMetrics, consume
from shared.stream.offsets import Offsets
from shared.stream.records import Partition

LOG = "memory"
REST_S = 0.5  # of the judge between two turns
LOST_S = 60.0  # a round as long as that is of a process that cannot keep up
HOMES = [Partition(Topic.SCORED_RESPONSES, number) for number in range(PARTITIONS)]
PARTS: dict[str, tuple[Any, str]] = {
    "closing": (Courtroom, "judge_closed"),
    "closing: read": (courtroom, "read_chunk"),
    "closing: store": (courtroom, "write_fleet"),
    "looking": (Courtroom, "judge_open"),
    "looking: read what has changed": (courtroom, "read_changed"),
    "looking: read all": (courtroom, "read_open"),
    "ticks of the detector": (Detector, "judge"),
}


@dataclass
class Watch:
    """Seconds spent in each part, and those of them that were this process's own."""

    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    own: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def over(self, name: str) -> Iterator[None]:
        began, own = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - began
            self.own[name] += time.process_time() - own

    def follow(self, called: Callable[..., Any], name: str) -> Callable[..., Any]:
        async def waited(*given: Any) -> Any:
            with self.over(name):
                return await called(*given)

        def at_once(*given: Any) -> Any:
            with self.over(name):
                return called(*given)

        return waited if iscoroutinefunction(called) else at_once


@contextmanager
def followed(watch: Watch) -> Iterator[None]:
    """What the judge calls is timed meanwhile."""
    called = {part: getattr(*where) for part, where in PARTS.items()}
    for part, where in PARTS.items():
        setattr(*where, watch.follow(called[part], part))
    try:
        yield
    finally:
        for part, where in PARTS.items():
            setattr(*where, called[part])


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
        self.lost = 0  # turns; the service tries again as well

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
        with self._watch.over("counting"):
            await consume(source, self._pipeline, stop)
        with self._watch.over("turns of the judge"):
            await self._turn()
        self._next_of = source.next_of
        self.took.append(time.perf_counter() - began)
        return self.took[-1]

    async def _turn(self) -> None:
        try:
            while await self._judge.turn():
                pass
        except AWAY:  # a judge that stood still for ten seconds loses its connection
            self.lost += 1

    async def _ends(self) -> Mapping[int, int]:
        return self._feed.nexts
