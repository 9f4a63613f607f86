"""What is told of the measured: per path and load, and where the time of the median goes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.figures import Cell, Table

LEAST: Final = {50.0: 1, 99.0: 100, 99.9: 1_000}  # samples for a quantile to be told


@dataclass(frozen=True)
class Measured:
    """One path at one load: seconds from the planned instant, of all that came out."""

    path: str
    load: str
    rate: float
    seconds: np.ndarray

    def row(self) -> list[Cell]:
        return [self.path, self.load, self.rate, len(self.seconds), *quantiles(self.seconds)]


def quantiles(seconds: np.ndarray) -> list[Cell]:
    """p50, p99 and p99.9 in ms; of each only where there are enough."""
    return [
        float(np.percentile(seconds, share)) * 1_000 if len(seconds) >= least else None
        for share, least in LEAST.items()
    ]


def latency_table(measured: Sequence[Measured]) -> Table:
    return Table(
        "latency",
        "From the planned instant to the end of the path",
        ("path", "load", "rate /s", "n", "p50 ms", "p99 ms", "p99.9 ms"),
        [one.row() for one in measured],
    )


def capacity_table(capacities: Mapping[str, float]) -> Table:
    return Table(
        "capacity",
        "The greatest rate at which no backlog grows",
        ("path", "rate /s"),
        list(capacities.items()),
    )
