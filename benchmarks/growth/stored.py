"""10^4, 10^5, 10^6 answers stored already: what one more costs, and what each takes on disk."""

from collections import defaultdict
from contextlib import AsyncExitStack
from typing import Final

import asyncpg

from benchmarks.figures import Figures, Table
from benchmarks.growth.databases import answer_bytes, connected
from benchmarks.growth.growing import Place, Taken, in_rounds, timed
from benchmarks.growth.loops import LOOPS
from benchmarks.growth.lying import Lying
from shared.stream import Record

_STORED, _MORE = 10_000, 6_000
_TIMES: Final = (1, 10, 100)
_NAMES: Final = """
    SELECT column_name FROM information_schema.columns
    WHERE table_schema = 'scoring' AND table_name = 'answers' AND is_generated = 'NEVER'
"""
_HEAD = (
    "answers stored before",
    "one more, µs by the clock",
    "x of the fewest",
    "the process, µs",
    "PostgreSQL, µs",
    "bytes each, table",
    "bytes each, indexes",
)


async def stored(place: Place, figures: Figures) -> None:
    """One table, of scoring; ingest stores nothing."""
    loop, few = LOOPS["scoring"], place.part_of(_STORED)
    more = place.part_of(_MORE)
    lying: defaultdict[int, Lying] = defaultdict(lambda: Lying("growth"))
    urls: dict[int, str] = {}
    sizes: dict[int, tuple[int, int]] = {}
    came: dict[int, int] = {}
    async with AsyncExitStack() as stack:
        for times in _TIMES:
            urls[times] = await stack.enter_async_context(place.databases.fresh())
            await lying[times].take(loop, urls[times], _made(lying[times], range(few)))
            came[times] = few
            async with connected(urls[times], loop.name) as connection:
                await _copy(connection, times)
                sizes[times] = await answer_bytes(connection)

        async def measure(times: int) -> Taken:
            records = _made(lying[times], range(came[times], came[times] + more))
            came[times] += more
            async with (
                lying[times].ready(loop, urls[times], records) as go,
                timed(place.meter, more) as clock,
            ):
                await go()
            return clock.taken

        found = await in_rounds(place.rounds, _TIMES, measure)
    rows = [
        (
            few * times,
            one.clock_us,
            one.clock_us / found[1].clock_us,
            one.own_us,
            one.postgres_us,
            *(size / few / times for size in sizes[times]),
        )
        for times, one in found.items()
    ]
    title = "Scoring, by answers that are stored already, without Kafka"
    figures.add(Table("stored", title, _HEAD, rows))


def _made(lying: Lying, numbers: range) -> list[Record]:
    return lying.records(LOOPS["scoring"].made_up(numbers))


async def _copy(connection: asyncpg.Connection, times: int) -> None:
    """So many times as many answers, each copy an hour further back."""
    names = [row[0] for row in await connection.fetch(_NAMES)]
    changed = {
        "id": "left(id || '-' || n, 200)",
        "answered_at": "answered_at - n * interval '1 hour'",
    }
    values = [changed.get(name, f'"{name}"') for name in names]
    columns = ", ".join(f'"{name}"' for name in names)
    await connection.execute(
        f"INSERT INTO answers ({columns}) SELECT {', '.join(values)}"
        f" FROM answers, generate_series(1, {times - 1}) AS n"
    )
    await connection.execute("VACUUM ANALYZE answers")
