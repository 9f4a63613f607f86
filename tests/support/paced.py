"""Answers at an even pace for as long as a test wants them."""

import asyncio
from dataclasses import dataclass, field

from shared.stream import Broker
from shared.stream.kafka import open_producer
from tests.support.load import record_of

_TURN_S = 0.05


@dataclass
class Pace:
    """Writes answer after answer to Kafka, `per_s` a second; all in `sent` are acknowledged."""

    broker: Broker
    per_s: int
    most: int
    sent: list[int] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Write until `stop` is set. Raise where all that may be were written before."""
        size = int(self.per_s * _TURN_S)
        async with open_producer(self.broker) as producer:
            while not self.stop.is_set() and len(self.sent) + size <= self.most:
                numbers = range(len(self.sent), len(self.sent) + size)
                await producer.send([record_of(number) for number in numbers])
                self.sent += numbers
                await asyncio.sleep(_TURN_S)
        assert self.stop.is_set(), f"{len(self.sent)} were written before the load was to end"
