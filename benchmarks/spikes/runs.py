"""Run tests, their parts beside each other in processes."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from benchmarks.spikes.catalogue import TESTS
from benchmarks.spikes.rows import Part, Plan, Row


def call(part: Part) -> Any:
    return part()


def run(names: Sequence[str], plan: Plan, processes: int = 2) -> Iterator[tuple[str, list[Row]]]:
    """Give each test's rows as soon as they are there."""
    with ProcessPoolExecutor(processes) as pool:
        started = {
            name: [pool.submit(call, part) for part in TESTS[name].parts(plan)] for name in names
        }
        for name, parts in started.items():
            yield name, list(TESTS[name].rows(plan, [part.result() for part in parts]))
