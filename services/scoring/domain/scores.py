"""A score that is never naked: the number, its n, its interval, and what changed."""

from dataclasses import dataclass

from shared.intervals import LEVEL, METHODS, p_value
from shared.programme.metrics import Metric, ScoreKind
from shared.tally import Tally

SUFFICIENT = 30


@dataclass(frozen=True, slots=True)
class Score:
    """One metric of one group. `score` and `interval` are None where nobody answered."""

    tally: Tally
    score: float | None
    interval: tuple[float, float] | None
    sufficient: bool


@dataclass(frozen=True, slots=True)
class Previous:
    """The window before, and what changed since; `change` is None where nobody answers now."""

    n: int
    score: float
    change: float | None
    p_value: float | None


def point_of(tally: Tally, metric: Metric) -> float | None:
    """The plain score, not adjusted; None without answers."""
    if not tally.n:
        return None
    if metric.score is ScoreKind.NET:
        return 100 * (tally.promoters - tally.detractors) / tally.n
    if metric.score is ScoreKind.TOP_SHARE:
        return 100 * tally.promoters / tally.n
    return tally.total / tally.n


def score_of(tally: Tally, metric: Metric, *, sufficient: int = SUFFICIENT) -> Score:
    """The score with its 95 % interval, cut to what is possible and holding the score itself."""
    point = point_of(tally, metric)
    if point is None:
        return Score(tally, None, None, sufficient=False)
    low, high = METHODS[metric.interval](tally, metric, 1.0).interval(LEVEL)
    lowest, highest = bounds_of(metric)
    interval = (min(max(low, lowest), point), max(min(high, highest), point))
    return Score(tally, point, interval, sufficient=tally.n >= sufficient)


def compare(now: Tally, before: Tally, metric: Metric) -> Previous | None:
    """What the window before says beside this one; None without earlier answers."""
    score = point_of(before, metric)
    if score is None:
        return None
    current = point_of(now, metric)
    if current is None:
        return Previous(before.n, score, None, None)
    estimate = METHODS[metric.interval]
    p = p_value(estimate(now, metric, 0.5), estimate(before, metric, 0.5))
    return Previous(before.n, score, current - score, p)


def bounds_of(metric: Metric) -> tuple[float, float]:
    """The lowest and the highest score that is possible."""
    if metric.score is ScoreKind.NET:
        return -100.0, 100.0
    if metric.score is ScoreKind.TOP_SHARE:
        return 0.0, 100.0
    return float(metric.scale[0]), float(metric.scale[1])
