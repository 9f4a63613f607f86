"""Answers of one metric as plain sums: parts add up to the whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from shared.programme.metrics import Klass, Metric


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts by class and the first two sums of the points.

    `distribution` counts the answers at each point, lowest first; None where answers of
    different scales were added, for those are never mixed in one distribution.
    """

    promoters: int = 0
    passives: int = 0
    detractors: int = 0
    total: int = 0  # sum of the points
    squares: int = 0  # sum of their squares
    distribution: tuple[int, ...] | None = ()

    @property
    def n(self) -> int:
        return self.promoters + self.passives + self.detractors

    def __add__(self, other: "Tally") -> "Tally":
        if not other.n:
            return self
        if not self.n:
            return other
        return Tally(
            self.promoters + other.promoters,
            self.passives + other.passives,
            self.detractors + other.detractors,
            self.total + other.total,
            self.squares + other.squares,
            _added(self.distribution, other.distribution),
        )


Counts = NDArray[Any]  # whole numbers, or the fractions that weighting makes of them


@dataclass(frozen=True, slots=True)
class Tallies:
    """Many tallies side by side: the same fields, each an array with one entry a group."""

    promoters: Counts
    passives: Counts
    detractors: Counts
    total: Counts
    squares: Counts

    @property
    def n(self) -> Counts:
        return self.promoters + self.passives + self.detractors


def _added(left: tuple[int, ...] | None, right: tuple[int, ...] | None) -> tuple[int, ...] | None:
    if left is None or right is None or len(left) != len(right):
        return None
    return tuple(map(sum, zip(left, right, strict=True)))


def tally_points(metric: Metric, counts: Sequence[int]) -> Tally:
    """The tally of `counts` answers at each point of the metric's scale, lowest first."""
    distribution = tuple(counts[: len(metric.points)])
    pairs = list(zip(metric.points, distribution, strict=True))
    classes = dict.fromkeys(Klass, 0)
    for point, count in pairs:
        classes[metric.class_of(point)] += count
    return Tally(
        promoters=classes[Klass.PROMOTER],
        passives=classes[Klass.PASSIVE],
        detractors=classes[Klass.DETRACTOR],
        total=sum(point * count for point, count in pairs),
        squares=sum(point * point * count for point, count in pairs),
        distribution=distribution,
    )
