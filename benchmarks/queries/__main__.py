"""How long questions about segments take, through scoring's HTTP routes.

    python -m benchmarks.queries [--answers 10000 1000000 3000000] [--segments 10000]
                                 [--seconds 1] [--json FILE]

Real PostgreSQL (the embedded one), eight dimensions, one counted pair, answers over 60 days so
that a window of 30 days and the one before it hold all of them; 30 % of the answers were invited,
and as many invitations have no answer. A page has 500 groups. n is how often a question was
asked: p95 stands there from 20 times, p99 from 100. Answers of a day are taken to be alike, so that
intervals are widened. The application is called in the process: no network is measured. Some five
minutes, of which filling takes half. Every shape is asked in three ways:

columns   out of the columns in memory, which hold everything; answers themselves, coverage and
          reasons come out of the database in every way
busy      the same while 200 answers a second are counted in the same process
database  without columns: running counts where the slice has them, else the answers

A start is what a process takes until its columns hold everything: from the answers, or from the
days that another process kept.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import uvloop
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.figures import Cell, Figures, Table, parser
from benchmarks.queries.arriving import arriving
from benchmarks.queries.asking import IN_DATABASE, LEAST, ROUNDS, Times, ask_all
from benchmarks.queries.drawing import sizes_of
from benchmarks.queries.filling import fill
from benchmarks.servers import database
from services.scoring.store.columns import Columns
from services.scoring.store.reader import Reader
from services.scoring.worker.columns import keep, tend
from shared.db import open_engine

_RATE: Final = 200  # answers a second while the process is busy
_AIMED: Final = 1_000_000  # answers, at which the aims are
_QUICK_MS, _SLOW_MS = 50.0, 300.0  # with columns and without


@dataclass(frozen=True)
class Start:
    """Until the columns hold everything."""

    entries: int
    bytes: int
    seconds: float


async def hold(engine: AsyncEngine, answers: int) -> tuple[Reader, Start]:
    """A reader whose columns hold everything."""
    columns = Columns(4 * answers + 100_000)
    began = time.perf_counter()
    while await tend(engine, columns):
        pass
    took = time.perf_counter() - began
    held = columns.held
    if held is None or not held.size:
        raise SystemExit("nothing is held")
    return Reader(engine, columns=columns), Start(held.size, held.bytes, took)


async def run_size(
    url: str, told: argparse.Namespace, answers: int, figures: Figures
) -> list[Start]:
    """Fill, start twice, ask every shape in all three ways."""
    sizes = sizes_of(told.segments)
    least = LEAST[95] if answers == _AIMED else ROUNDS  # a slow question must not escape its aim
    async with open_engine(url, schema="scoring") as engine:
        await fill(engine, answers, sizes)
        slow, start = await hold(engine, answers)
        if slow.columns is not None:
            await keep(engine, slow.columns, time.time_ns() // 1000, 0.0)
        reader, again = await hold(engine, answers)
        ways = {"columns": await ask_all(reader, sizes, told.seconds, least)}
        async with arriving(engine, sizes, _RATE) as reached:
            ways["busy"] = await ask_all(reader, sizes, told.seconds, least)
        figures.note(f"busy, {answers:,} answers: {reached.per_s:.0f} of {_RATE} a second came")
        ways["database"] = await ask_all(Reader(engine), sizes, told.seconds, least)
    _tell(figures, answers, told.segments, ways)
    return [start, again]


def _tell(
    figures: Figures, answers: int, segments: int, ways: Mapping[str, Mapping[str, Times]]
) -> None:
    rows: list[Sequence[Cell]] = [
        (shape, *(cell for way in ways for cell in ways[way][shape].cells()))
        for shape in ways["columns"]
    ]
    head = [f"{way} {what}" for way in ways for what in ("n", "p50, ms", "p95, ms", "p99, ms")]
    title = f"{answers:,} answers, {segments:,} segments a pair"
    figures.add(Table(f"answers {answers}", title, ("question", *head), rows))
    if answers == _AIMED:
        for way, aim in (("columns", _QUICK_MS), ("busy", _QUICK_MS), ("database", _SLOW_MS)):
            _aim(figures, way, ways[way], aim)


def _aim(figures: Figures, way: str, found: Mapping[str, Times], aim_ms: float) -> None:
    """The slowest p95 of a way; without what only the database answers, and what was asked less."""
    left_out = set() if way == "database" else set(IN_DATABASE)
    slow = {shape: times.at(95) for shape, times in found.items()}
    left_out |= {shape for shape, p95 in slow.items() if p95 is None}
    counted = [(p95, shape) for shape, p95 in slow.items() if p95 and shape not in left_out]
    if counted:
        p95, shape = max(counted)
        without = f"; without {', '.join(sorted(left_out))}" if left_out else ""
        name = f"{aim_ms:g} ms / p95 of the slowest question, {way} ({shape}{without})"
        figures.aim(name, aim_ms / p95, 1.0)


async def run(url: str, told: argparse.Namespace, figures: Figures) -> None:
    """All sizes, one after the other."""
    rows = []
    for answers in told.answers:
        slow, quick = await run_size(url, told, answers, figures)
        each = quick.bytes / quick.entries
        rows.append((f"{answers:,}", quick.entries, slow.seconds, quick.seconds, each))
    head = ("answers", "entries", "from the answers, s", "from kept days, s", "bytes an entry")
    figures.add(Table("start", "until a process holds everything", head, rows))


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--answers", type=int, nargs="*", default=[10_000, 1_000_000, 3_000_000])
    arguments.add_argument("--segments", type=int, default=10_000)
    arguments.add_argument("--seconds", type=float, default=1.0, help="for each shape and way")
    told = arguments.parse_args()
    figures = Figures("queries")
    with database("scoring") as url:
        uvloop.run(run(url, told, figures))
    figures.write(told.json)


if __name__ == "__main__":
    main()
