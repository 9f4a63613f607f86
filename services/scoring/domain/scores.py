"""A score that is never naked: the number, its n, its interval, and what changed.

Of one group floats, of many side by side arrays (`Figures`); both say the same.
"""

from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from services.scoring.domain.shares import SHARE
from shared.intervals import LEVEL, METHODS
from shared.programme.metrics import Metric, ScoreKind
from shared.tally import Tallies, Tally

SUFFICIENT = 30

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Score:
    """One metric of one group. `score` and `interval` are None where nobody answered."""

    tally: Tally
    score: float | None
    interval: tuple[float, float] | None
    sufficient: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """One metric of many groups, an entry each; NaN where nobody answered."""

    n: Ints
    score: Floats
    low: Floats
    high: Floats


def point_of(tally: Tally, metric: Metric) -> float | None:
    """The plain score, not adjusted; None without answers."""
    if not tally.n:
        return None
    if metric.score is ScoreKind.NET:
        return 100 * (tally.promoters - tally.detractors) / tally.n
    if metric.score is ScoreKind.TOP_SHARE:
        return 100 * tally.promoters / tally.n
    return tally.total / tally.n


def points_of(tallies: Tallies, metric: Metric) -> Floats:
    """The plain score of each group; NaN without answers."""
    if metric.score is ScoreKind.NET:
        total = 100 * (tallies.promoters - tallies.detractors)
    elif metric.score is ScoreKind.TOP_SHARE:
        total = 100 * tallies.promoters
    else:
        total = tallies.total
    n = tallies.n
    found: Floats = np.divide(total, n, out=np.full(n.shape, nan), where=n > 0)
    return found


def score_of(
    tally: Tally, metric: Metric, *, sufficient: int = SUFFICIENT, deff: float = 1.0
) -> Score:
    """The score with its 95 % interval, cut to what is possible and holding the score itself.

    `deff`, at least 1, is the design effect by which the interval is widened.
    """
    point = point_of(tally, metric)
    if point is None:
        return Score(tally, None, None, sufficient=False)
    low, high = METHODS[metric.interval](tally, metric, 1.0, deff).interval(LEVEL)
    lowest, highest = metric.bounds
    interval = (min(max(low, lowest), point), max(min(high, highest), point))
    return Score(tally, point, interval, sufficient=tally.n >= sufficient)


def figures_of(tallies: Tallies, metric: Metric, deff: float | Floats = 1.0) -> Figures:
    """What `score_of` says, of each group."""
    point = points_of(tallies, metric)
    low, high = METHODS[metric.interval](tallies, metric, 1.0, deff).interval(LEVEL)
    lowest, highest = metric.bounds
    return Figures(
        n=tallies.n,
        score=point,
        low=np.minimum(np.maximum(low, lowest), point),
        high=np.maximum(np.minimum(high, highest), point),
    )


def rates_of(answered: Ints, invited: Ints) -> Figures:
    """The share of invitations that were answered, 0 to 1; NaN where nobody was invited."""
    zero = np.zeros_like(invited)
    found = figures_of(Tallies(answered, zero, invited - answered, zero, zero), SHARE)
    return Figures(invited, found.score / 100, found.low / 100, found.high / 100)
