"""Events are written at an even pace by a process of its own."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

import uvloop

from benchmarks.deciding.events import Kind, record_of
from shared.stream import Broker
from shared.stream.kafka import open_producer

CUSTOMERS = 30_000
TURN_S = 0.01


@dataclass(frozen=True)
class Pace:
    """How many events a second, for how long, and the share of them that matches a rule."""

    rate: int
    seconds: float
    share: float

    @property
    def events(self) -> int:
        return int(self.rate * self.seconds)


def emit(broker: Broker, pace: Pace) -> None:
    """Write events at an even pace; a process of its own."""
    uvloop.run(_emit(broker, pace))


async def _emit(broker: Broker, pace: Pace) -> None:
    kind = Kind(pace.share, CUSTOMERS)
    luck, first, under_way = Random(7), pace.rate * 1_000_000, set[asyncio.Task[None]]()
    async with open_producer(broker) as producer:
        began, sent = time.perf_counter(), 0
        while sent < pace.events:
            gone, now = time.perf_counter() - began, datetime.now(UTC)
            due = min(pace.events, int(gone * pace.rate))
            numbers = range(first + sent, first + due)
            records = [record_of(n, luck, now, kind) for n in numbers]
            if records:
                under_way.add(asyncio.create_task(producer.send(records)))
            sent = due
            await asyncio.sleep(TURN_S)
        await asyncio.gather(*under_way)
