"""What every part measures, and a table of it beside its first row."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

from benchmarks.growth.databases import Databases
from benchmarks.servers import Servers
from benchmarks.spent import Meter
from shared.garbage import look_seldom

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Place:
    """Where a part measures, and how much of everything: `share` 1 is the default run."""

    servers: Servers
    databases: Databases
    meter: Meter
    share: float
    rounds: int

    def part_of(self, number: int, least: int = 200) -> int:
        """So many at this share."""
        return max(least, round(number * self.share))


@dataclass(frozen=True)
class Taken:
    """What one record took: µs by the clock, of this process and of PostgreSQL's."""

    clock_us: float
    own_us: float
    postgres_us: float

    @property
    def rate(self) -> float:
        """Records a second."""
        return 1e6 / self.clock_us


def middle(found: Iterable[Taken]) -> Taken:
    """The medians."""
    all_found = list(found)
    names = ("clock_us", "own_us", "postgres_us")
    return Taken(*(median(getattr(one, name) for one in all_found) for name in names))


class Clock:
    """Filled in when the measured work has ended."""

    taken: Taken


@asynccontextmanager
async def timed(meter: Meter, records: int) -> AsyncIterator[Clock]:
    """Measure what happens inside for so many records."""
    clock = Clock()
    look_seldom()  # as a service does; what the benchmark holds is none of the loop's business
    with meter.over() as spent:
        yield clock
    each = 1e6 / records
    clock.taken = Taken(spent.clock_s * each, spent.own_s * each, spent.postgres_s * each)


async def in_rounds(
    rounds: int, sizes: Iterable[K], measure: Callable[[K], Awaitable[Taken]]
) -> Mapping[K, Taken]:
    """Each size in turn, as often as there are rounds; the medians of each."""
    found: defaultdict[K, list[Taken]] = defaultdict(list)
    all_sizes = list(sizes)
    for _ in range(rounds):
        for size in all_sizes:
            found[size].append(await measure(size))
            await asyncio.sleep(0)
    return {size: middle(taken) for size, taken in found.items()}
