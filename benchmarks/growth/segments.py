"""Segments 10 to 10,000: what an answer costs, and what a segment takes in PostgreSQL and here."""

import gc
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Final

import psutil
import uvloop
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.figures import Cell, Figures, Table
from benchmarks.growth.databases import connected
from benchmarks.growth.growing import Place, Taken, middle, timed
from benchmarks.growth.loops import LOOPS
from benchmarks.growth.lying import Lying
from benchmarks.scoring.alone import pipeline_of
from benchmarks.scoring.answers import DIMENSIONS, made_up
from benchmarks.scoring.contenders import PAIRS
from benchmarks.spent import Meter
from services.scoring.domain.cells import Layout
from services.scoring.store import adopt
from shared.stream import Pipeline, Producer

_ANSWERS, _WARM, _HOURS = 14_000, 4_000, 1
# values of each dimension: about 10, 100, 1,000 and 10,000 segments
_VALUES: Final = {False: (1, 12, 125, 1_250), True: (1, 3, 10, 31)}
_SIZE: Final = """
    SELECT (SELECT count(*) FROM series),
        pg_total_relation_size('series') + pg_total_relation_size('counts')
        + pg_total_relation_size('dimension_values')
"""
_HEAD = (
    "pairs of dimensions",
    "segments",
    "an answer, µs by the clock",
    "x of the fewest",
    "the process, µs",
    "PostgreSQL, µs",
    "bytes per segment",
    "memory of the process, MB",
)


@dataclass(frozen=True)
class Grown:
    """Of one size: what an answer took, and what then stood."""

    taken: Taken
    series: int
    size: int
    rss: int


async def segments(place: Place, figures: Figures) -> None:
    """One table: without pairs, and with ten."""
    rows: list[Sequence[Cell]] = []
    for paired, values in _VALUES.items():
        found: dict[int, list[Grown]] = {number: [] for number in values}
        for _ in range(place.rounds):
            for number in values:
                found[number].append(await _in_a_process(place, number, paired=paired))
        first = middle(one.taken for one in found[values[0]])
        rows += [_row(grown, first, paired=paired) for grown in found.values()]
    title = "Scoring, by segments that have answers in one hour, without Kafka"
    figures.add(Table("segments", title, _HEAD, rows))


def _row(found: Sequence[Grown], first: Taken, *, paired: bool) -> Sequence[Cell]:
    taken, last = middle(one.taken for one in found), found[-1]
    return (
        len(PAIRS) if paired else 0,
        last.series,
        taken.clock_us,
        taken.clock_us / first.clock_us,
        taken.own_us,
        taken.postgres_us,
        last.size / last.series,
        median(one.rss for one in found) / 1e6,
    )


async def _in_a_process(place: Place, values: int, *, paired: bool) -> Grown:
    answers = place.part_of(_ANSWERS)
    async with place.databases.fresh() as url:
        # a process each, for its memory
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            work = pool.submit(_alone, place.servers.var, url, (answers, values), paired)
            return work.result()


def _alone(var: Path, url: str, size: tuple[int, int], paired: bool) -> Grown:  # noqa: FBT001 - of a pool
    return uvloop.run(_grown(Meter(var), url, size, PAIRS if paired else ()))


async def _grown(
    meter: Meter, url: str, size: tuple[int, int], pairs: Sequence[tuple[str, str]]
) -> Grown:
    answers, values = size
    loop = replace(LOOPS["scoring"], build=_with(pairs))
    lying = Lying("growth")
    # what is measured comes after segments have begun: each begins once
    made = made_up(answers + _WARM, values, _HOURS)
    warm, records = lying.records(made[:_WARM]), lying.records(made[_WARM:])
    del made
    gc.collect()
    before = psutil.Process().memory_info().rss
    await lying.take(loop, url, warm)
    async with lying.ready(loop, url, records) as go, timed(meter, answers) as clock:
        await go()
    rss = psutil.Process().memory_info().rss - before
    async with connected(url, loop.name) as connection:
        series, stored = await connection.fetchrow(_SIZE)
    return Grown(clock.taken, series, stored, rss)


def _with(
    pairs: Sequence[tuple[str, str]],
) -> Callable[[AsyncEngine, Producer], Awaitable[Pipeline]]:
    async def build(engine: AsyncEngine, producer: Producer) -> Pipeline:
        await adopt(engine, Layout(dict.fromkeys(DIMENSIONS, "an event's"), tuple(pairs)))
        return pipeline_of(engine, producer)

    return build
