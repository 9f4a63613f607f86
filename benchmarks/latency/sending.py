"""Open loop: what is sent leaves at its planned instant, whatever became of what was sent before.

The instants are drawn beforehand as a Poisson process; a request that finds every connection busy
waits in line while its time runs. So a stall of the system is suffered by all who would have come
meanwhile (no coordinated omission).
"""

import asyncio
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Final, Protocol

import numpy as np
import uvloop

from benchmarks.latency.contents import Kind, contents_of
from benchmarks.latency.doors import Doors
from shared.stream import Broker
from shared.stream.kafka import KafkaProducer, open_producer

_LEAD_S: Final = 0.3
_LOOK_S: Final = 0.01
_PATIENCE: Final = 2_000  # looks
ACCEPTED: Final = b"HTTP/1.1 2"


@dataclass(frozen=True)
class Plan:
    """So many a second, for so long; `first` is the number of the first, each has its own."""

    kind: Kind
    rate: float
    seconds: float
    first: int = 0


@dataclass(frozen=True)
class Sent:
    """Seconds since the epoch, by place: planned, and acknowledged (NaN where it never was)."""

    plan: Plan
    planned: np.ndarray
    acked: np.ndarray

    @property
    def refused(self) -> int:
        return int(np.isnan(self.acked).sum())

    @property
    def accepted(self) -> int:
        """How many are to come out at the end."""
        return len(self.acked) - self.refused

    @property
    def numbers(self) -> range:
        return range(self.plan.first, self.plan.first + len(self.planned))


class Way(Protocol):
    """Sends what is due now; calls `acked` with each place and when it was acknowledged."""

    def send(self, places: range, contents: Sequence[Any], acked: "Acked") -> None: ...


Acked = Callable[[int, float], None]


@dataclass(frozen=True)
class ByHttp:
    doors: Doors

    def send(self, places: range, contents: Sequence[Any], acked: Acked) -> None:
        for place in places:

            def told(reply: bytes, place: int = place) -> None:
                acked(place, time.time() if reply.startswith(ACCEPTED) else np.nan)

            self.doors.ask(contents[place], told)


@dataclass(frozen=True)
class ByKafka:
    """Each turn of the loop is one send, as of an emitter that batches nothing on purpose."""

    producer: KafkaProducer
    under_way: set[asyncio.Task[None]] = field(default_factory=set)

    def send(self, places: range, contents: Sequence[Any], acked: Acked) -> None:
        task = asyncio.create_task(self._send(places, contents, acked))
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)

    async def _send(self, places: range, contents: Sequence[Any], acked: Acked) -> None:
        await self.producer.send(contents[places.start : places.stop])
        at = time.time()
        for place in places:
            acked(place, at)


async def carry_out(plan: Plan, way: Way, settled: Any) -> Sent:
    """Send all of a plan; `settled.value` counts what was acknowledged or refused."""
    luck = np.random.default_rng(plan.first)
    number = max(1, round(plan.rate * plan.seconds))
    waits = luck.exponential(1 / plan.rate, number)
    contents = contents_of(plan.kind, range(plan.first, plan.first + number))
    planned, acks = time.time() + _LEAD_S + np.cumsum(waits), np.full(number, np.nan)

    def acked(place: int, at: float) -> None:
        acks[place] = at
        settled.value += 1

    settled.value = sent = 0
    while sent < number:
        now = time.time()
        due = int(np.searchsorted(planned, now, side="right"))
        if due > sent:
            way.send(range(sent, due), contents, acked)
            sent = due
        await asyncio.sleep(max(0.0, planned[sent] - now) if sent < number else 0)
    for _ in range(_PATIENCE):
        if settled.value == number:
            break
        await asyncio.sleep(_LOOK_S)
    return Sent(plan, planned, acks)


@dataclass
class LoadProcess:
    """Carries out one plan at a time, in a process of its own."""

    pipe: Connection
    settled: Any  # a shared number

    async def run(self, plan: Plan) -> Sent:
        self.pipe.send(plan)
        sent: Sent = await asyncio.to_thread(self.pipe.recv)
        return sent


@contextmanager
def load_process(port: int, broker: Broker) -> Iterator[LoadProcess]:
    """`port` is ingest's."""
    context = multiprocessing.get_context("spawn")
    ours, its = context.Pipe()
    settled = context.Value("q", 0, lock=False)
    process = context.Process(target=_live, args=(its, settled, port, broker), daemon=True)
    process.start()
    its.close()  # whoever waits for it hears of its end
    try:
        yield LoadProcess(ours, settled)
    finally:
        with suppress(OSError):  # it has ended
            ours.send(None)
        process.join(10)


def _live(pipe: Connection, settled: Any, port: int, broker: Broker) -> None:
    uvloop.run(_serve(pipe, settled, port, broker))


async def _serve(pipe: Connection, settled: Any, port: int, broker: Broker) -> None:
    doors = Doors(port)
    async with open_producer(broker) as producer:
        ways: dict[Kind, Way] = {
            Kind.ANSWER: ByHttp(doors),
            Kind.EVENT: ByHttp(doors),
            Kind.RECORD: ByKafka(producer),
        }
        while (plan := await asyncio.to_thread(pipe.recv)) is not None:
            pipe.send(await carry_out(plan, ways[plan.kind], settled))
    doors.close()
