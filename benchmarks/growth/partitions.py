"""Partitions 1, 4, 12: how fast one process takes what lies there, and one batch end to end."""

import secrets
import time
from collections import defaultdict
from statistics import median

from benchmarks.figures import Figures, Table
from benchmarks.growth.growing import Place, Taken, in_rounds, timed
from benchmarks.growth.loops import LOOPS, Loop, Run, Standing, running, standing
from shared.stream import Broker
from shared.stream.kafka import create_topics, open_producer

NUMBERS = (1, 4, 12)
_RECORDS = {"scoring": 20_000, "trigger": 10_000}
_AT_ONCE = 5_000
_BATCH, _BATCHES = 500, 8
_HEAD = (
    "partitions",
    "{}/s",
    "x one partition",
    "the process, µs each",
    "PostgreSQL, µs each",
    f"{_BATCH} end to end, ms",
)


class Topics:
    """Of one loop, with so many partitions; it knows how much lies there."""

    def __init__(self, place: Place, loop: Loop, partitions: int) -> None:
        bootstrap, log = place.servers.broker.bootstrap, place.servers.broker.log
        self.broker = Broker(bootstrap, log, prefix=f"{secrets.token_hex(4)}.")
        self.lying = 0
        self._loop, self.partitions = loop, partitions

    async def fill(self, records: int) -> None:
        """Make them, with so many records."""
        await create_topics(
            self.broker.bootstrap,
            prefix=self.broker.prefix,
            replication=1,
            partitions=self.partitions,
        )
        made = self._loop.made_up(range(records))
        async with open_producer(self.broker) as producer:
            for first in range(0, records, _AT_ONCE):
                await producer.send(made[first : first + _AT_ONCE])
        self.lying = records

    async def batches(self, one: Standing, run: Run) -> list[float]:
        """Seconds from before a batch is written until all of it is committed, of some."""
        took = []
        made = self._loop.made_up(range(self.lying, self.lying + _BATCH * _BATCHES))
        for first in range(0, len(made), _BATCH):
            began = time.perf_counter()
            await one.producer.send(made[first : first + _BATCH])
            self.lying += _BATCH
            await run.until(self.lying)
            took.append(time.perf_counter() - began)
        return took


async def partitions(place: Place, figures: Figures) -> None:
    """A table for each loop."""
    for loop in LOOPS.values():
        figures.add(await _table(place, loop))


async def _table(place: Place, loop: Loop) -> Table:
    topics = {number: Topics(place, loop, number) for number in NUMBERS}
    for one in topics.values():
        await one.fill(place.part_of(_RECORDS[loop.name]))
    batches: defaultdict[int, list[float]] = defaultdict(list)

    async def measure(number: int) -> Taken:
        at = topics[number]
        async with (
            place.databases.fresh() as url,
            standing(loop, at.broker, url, number) as one,
        ):
            async with timed(place.meter, at.lying) as clock, running(one) as run:
                await run.until(at.lying)
            async with running(one) as run:
                batches[number] += await at.batches(one, run)
        return clock.taken

    found = await in_rounds(place.rounds, NUMBERS, measure)
    rows = [
        (
            number,
            taken.rate,
            taken.rate / found[1].rate,
            taken.own_us,
            taken.postgres_us,
            median(batches[number]) * 1e3,
        )
        for number, taken in found.items()
    ]
    head = [text.format(loop.things) for text in _HEAD]
    return Table(
        f"partitions-{loop.name}", f"{loop.name.title()}, by partitions of a topic", head, rows
    )
