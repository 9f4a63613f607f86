"""How often a 95 % interval holds the truth: every method that was weighed, exactly, by metric.

    python -m benchmarks.intervals [--write docs/intervals.md]

Prints the tables; with `--write`, puts them between their marks in a page. Then what widening for
clusters does to independent and to clustered answers (drawn, seeded), and, where EARSHOT_DATA is
set, how clustered real answers are; without it that table of the page stays as it was.
"""

import argparse
import os
import re
import time
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from benchmarks.intervals_clusters import clustered_rows, independent_rows
from benchmarks.intervals_coverage import Coverage
from benchmarks.intervals_real import real_rows
from benchmarks.intervals_tables import (
    HEAD,
    METHODS,
    coverages,
    false_alarms,
    finer,
    rare,
    row_of,
    table,
)
from shared.programme.metrics import Metric


def tables() -> Iterable[tuple[str, Callable[[], str]]]:
    """The name of each mark, and what makes its table."""
    measured = cache(coverages)

    def exact(metric: Metric, n: int) -> Coverage:
        return next(iter(measured(metric.name).values())).over([n])

    def weighed(metric: str) -> Callable[[], str]:
        found = METHODS[metric]
        return lambda: table(HEAD, [row_of(name, measured(metric)[name], metric) for name in found])

    yield from ((metric, weighed(metric)) for metric in METHODS)
    yield "finer", finer
    yield "rare", rare
    yield "alarms", false_alarms
    yield (
        "independent",
        lambda: table(
            "metric | segments | n of each | mean, plain | mean, widened |"
            " worst is at least | mean design effect",
            independent_rows(exact),
        ),
    )
    yield (
        "clustered",
        lambda: table(
            "metric | segments | true design effect of a usual day | plain | widened | estimated",
            clustered_rows(),
        ),
    )
    if folder := os.environ.get("EARSHOT_DATA"):
        yield (
            "real",
            lambda: table(
                "set | metric | answers | segments by | cluster | rho | crowding |"
                " design effect of the whole | median of its segments",
                real_rows(Path(folder)),
            ),
        )


def put(page: str, mark: str, text: str) -> str:
    """The page with the text between `<!-- mark -->` and `<!-- /mark -->`."""
    pattern = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", re.DOTALL)
    if not pattern.search(page):
        raise SystemExit(f"the page has no mark {mark}")
    return pattern.sub(lambda found: f"{found[1]}{text}\n{found[2]}", page)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--write", type=Path, metavar="FILE")
    page = parser.parse_args().write
    for mark, make in tables():
        started = time.monotonic()
        text = make()
        print(f"{mark} ({time.monotonic() - started:.0f} s)\n\n{text}\n", flush=True)
        if page is not None:
            page.write_text(put(page.read_text(), mark, text))


if __name__ == "__main__":
    main()
