"""Where a score stands: against its target, and against what others score."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from shared.programme.scoring import Benchmark

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Standing:
    """A target beside a score. `difference` is score less target, in the metric's own units.

    `met` says yes or no only where the whole interval does, else unclear; it and the difference
    are None where nobody answered. More is better in every metric.
    """

    value: float
    difference: float | None
    met: Literal["yes", "no", "unclear"] | None


@dataclass(frozen=True, slots=True)
class Rank:
    """A benchmark beside a score. `difference` is score less benchmark.

    `stands` is level where the interval holds the benchmark; None where nobody answered.
    """

    industry: str
    value: float
    source: str
    year: int
    difference: float | None
    stands: Literal["above", "below", "level"] | None


def standing(
    score: float | None, interval: Interval | None, target: float | None
) -> Standing | None:
    """Whether the target is met; None where there is none."""
    if target is None:
        return None
    if score is None or interval is None:
        return Standing(target, None, None)
    low, high = interval
    met: Literal["yes", "no", "unclear"] = "unclear"
    if low >= target:
        met = "yes"
    elif high < target:
        met = "no"
    return Standing(target, score - target, met)


def ranks(
    score: float | None, interval: Interval | None, benchmarks: Iterable[Benchmark]
) -> Sequence[Rank]:
    """The score beside each benchmark, in their order."""
    return [_rank(score, interval, one) for one in benchmarks]


def _rank(score: float | None, interval: Interval | None, benchmark: Benchmark) -> Rank:
    difference: float | None = None
    stands: Literal["above", "below", "level"] | None = None
    if score is not None and interval is not None:
        difference, stands = score - benchmark.value, "level"
        if interval[0] > benchmark.value:
            stands = "above"
        elif interval[1] < benchmark.value:
            stands = "below"
    return Rank(
        industry=benchmark.industry,
        value=benchmark.value,
        source=benchmark.source,
        year=benchmark.year,
        difference=difference,
        stands=stands,
    )
