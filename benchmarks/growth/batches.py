"""Records per poll 1 to 2,000: what one record costs, where each poll is one transaction."""

from typing import Final

from benchmarks.figures import Figures, Table
from benchmarks.growth.growing import Place, Taken, in_rounds, timed
from benchmarks.growth.loops import LOOPS, Loop
from benchmarks.growth.lying import Lying

SIZES: Final = (1, 10, 100, 500, 2_000)
_POLLS, _MOST = 300, 8_000
_HEAD = (
    "{} per poll",
    "one of them, µs by the clock",
    "x of one per poll",
    "the process, µs",
    "PostgreSQL, µs",
)


async def batches(place: Place, figures: Figures) -> None:
    """A table for each loop."""
    for loop in LOOPS.values():
        figures.add(await _table(place, loop))


async def _table(place: Place, loop: Loop) -> Table:
    async def measure(size: int) -> Taken:
        records = place.part_of(min(size * _POLLS, _MOST), least=size)
        lying = Lying("growth")
        warm = lying.records(loop.made_up(range(100)))
        made = lying.records(loop.made_up(range(100, 100 + records)))
        async with place.databases.fresh() as url:
            await lying.take(loop, url, warm)
            async with (
                lying.ready(loop, url, made, size) as go,
                timed(place.meter, records) as clock,
            ):
                await go()
        return clock.taken

    found = await in_rounds(place.rounds, SIZES, measure)
    rows = [
        (size, one.clock_us, one.clock_us / found[1].clock_us, one.own_us, one.postgres_us)
        for size, one in found.items()
    ]
    head = [text.format(loop.things) for text in _HEAD]
    title = f"{loop.name.title()}, by records per poll and transaction, without Kafka"
    return Table(f"batches-{loop.name}", title, head, rows)
