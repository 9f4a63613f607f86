"""Events are written by a process of its own."""

import uvloop

from benchmarks.deciding.events import Kind, made_up
from shared.stream import Broker
from shared.stream.kafka import open_producer

SENT_AT_ONCE = 4_000


def feed(broker: Broker, kind: Kind, numbers: range) -> None:
    """Write events; a process of its own."""
    uvloop.run(_feed(broker, kind, numbers))


async def _feed(broker: Broker, kind: Kind, numbers: range) -> None:
    records = made_up(kind, numbers)
    async with open_producer(broker) as producer:
        for first in range(0, len(records), SENT_AT_ONCE):
            await producer.send(records[first : first + SENT_AT_ONCE])
