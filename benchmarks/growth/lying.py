"""A loop over records that lie in memory, so many at a poll; there is no Kafka."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

from benchmarks.growth.loops import Loop
from benchmarks.scoring.answers import POLL, Dropped, Memory
from shared.db import open_engine
from shared.events import PARTITIONS
from shared.stream import Outgoing, Record, consume
from shared.stream.offsets import Offsets
from shared.stream.records import Partition


class Lying:
    """Records on their partitions, taken once; further ones go on where the last ended."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._ends = Counter[Partition]()

    def records(self, made: Sequence[Outgoing]) -> list[Record]:
        """As Kafka would give them."""
        return [self._record(number, one) for number, one in enumerate(made)]

    def _record(self, number: int, one: Outgoing) -> Record:
        home = Partition(one.topic, number % PARTITIONS)
        offset = self._ends[home]
        self._ends[home] += 1
        return Record(home.topic, home.number, offset, one.key, one.value, one.headers, 0)

    @asynccontextmanager
    async def ready(
        self, loop: Loop, url: str, records: Sequence[Record], at_once: int = POLL
    ) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """What runs the service's loop until all are committed."""
        stop = asyncio.Event()
        async with open_engine(url, schema=loop.name, fresh_plans=loop.name == "scoring") as engine:
            pipeline = await loop.build(engine, Dropped())
            offsets = Offsets(engine, group=self._group, log="memory")
            source = Memory(records, offsets, stop, at_once)
            homes = [Partition(topic, home) for topic in loop.topics for home in range(PARTITIONS)]
            source.next_of = await offsets.start(dict.fromkeys(homes, 0))
            yield partial(consume, source, pipeline, stop)

    async def take(self, loop: Loop, url: str, records: Sequence[Record]) -> None:
        """Run the loop over them, unmeasured."""
        async with self.ready(loop, url, records) as go:
            await go()
