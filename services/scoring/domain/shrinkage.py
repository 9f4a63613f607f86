"""Scores of small groups, drawn towards the mean of all groups of the question.

Few answers say little about a group, and the other groups say what scores there are. Empirical
Bayes weighs the two: a group's weight on the common mean is the sampling variance of its score
over that and the variance between the groups. Means of few answers are drawn a long way, and on
average nearer to the truth (Efron and Morris 1973, J. Am. Stat. Assoc. 68, 117-130).
"""

from dataclasses import dataclass
from math import exp, pi, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from services.scoring.domain.scores import points_of
from shared.intervals import LEVEL
from shared.programme.metrics import Metric, ScoreKind
from shared.tally import Tallies

LEAST: Final = 4  # groups; of fewer Morris's factor takes nothing from the common mean
_ROUNDS: Final = 60

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shrunk:
    """One entry a group; NaN where nobody answered.

    `centre` is the mean that all are drawn to, `weight` the share that it has in each score.
    """

    centre: float
    score: Floats
    low: Floats
    high: Floats
    weight: Floats


def shrink(groups: Tallies, metric: Metric, deff: float | Floats = 1.0) -> Shrunk | None:
    """Draw the score of every group towards their mean, with 95 % intervals.

    The variance between groups is that of Paule and Mandel (1982, J. Res. Natl. Bur. Stand. 87,
    377-385), the weight that of Morris (1983, J. Am. Stat. Assoc. 78, 47-55). The interval allows
    for both the mean and the variance between groups being estimated, as Morris's does; with that
    variance at its likely value where 0 was estimated, and with Student's t of the groups.
    The variance of single answers is pooled over the groups: a small group's own would be 0 as
    soon as its answers are alike. None where fewer than four groups have answers, or none has two.
    """
    n = groups.n
    answered = n > 0
    k = int(answered.sum())
    of_one = _variance_of_one(groups, metric)
    if k < LEAST or of_one is None:
        return None
    score = points_of(groups, metric)
    own = np.where(answered, of_one * deff / np.maximum(n, 1), np.nan)
    order = np.lexsort((own[answered], score[answered]))  # sums are the same in any order
    y, v = score[answered][order], own[answered][order]
    between = _between(y, v)
    shares = 1 / (v + between)
    centre = float((shares * y).sum() / shares.sum())
    weight = (k - 3) / (k - 1) * own / (own + between)
    lowest, highest = metric.bounds
    drawn = np.clip(score - weight * (score - centre), lowest, highest)
    error = sqrt(2 / float((shares**2).sum()))
    likely = _likely(between, error)
    kept = own * likely / (own + likely)
    learnt = (own / (own + likely) ** 2 * error) ** 2
    variance = kept + weight**2 / float(shares.sum()) + learnt * (score - centre) ** 2
    half = float(stdtrit(k - 1, (1 + LEVEL) / 2)) * np.sqrt(variance)
    return Shrunk(
        centre=centre,
        score=drawn,
        low=np.maximum(drawn - half, lowest),
        high=np.minimum(drawn + half, highest),
        weight=weight,
    )


def _variance_of_one(groups: Tallies, metric: Metric) -> float | None:
    """The variance of a single answer within its group, pooled; None where no group has two."""
    n = groups.n
    freedom = int(np.maximum(n - 1, 0).sum())
    if not freedom:
        return None
    if metric.score is ScoreKind.MEAN:
        total, squares = groups.total, groups.squares
    elif metric.score is ScoreKind.NET:
        total = 100 * (groups.promoters - groups.detractors)
        squares = 10_000 * (groups.promoters + groups.detractors)
    else:
        total, squares = 100 * groups.promoters, 10_000 * groups.promoters
    within = float(np.sort(squares - total**2 / np.maximum(n, 1)).sum()) / freedom
    low, high = metric.bounds
    # where all agree within every group: what one answer that differs would have made
    floor = (high - low) ** 2 / 4 / (freedom + 2)
    return max(within, floor)


def _between(y: Floats, v: Floats) -> float:
    """The variance between the true scores: what brings the weighted squares to k - 1."""
    k = len(y)

    def excess(tau2: float) -> tuple[float, float]:
        w = 1 / (v + tau2)
        away = (y - (w * y).sum() / w.sum()) ** 2
        return float((w * away).sum()) - (k - 1), float((w * w * away).sum())

    tau2 = 0.0
    for _ in range(_ROUNDS):  # Newton from below: the squares fall and are convex in it
        over, slope = excess(tau2)
        if over <= 1e-9 * k or slope <= 0:
            break
        tau2 += over / slope
    return tau2


def _likely(between: float, error: float) -> float:
    """The mean of what the variance may be, which is never below 0, given its estimate."""
    at = between / error
    return between + error * exp(-at * at / 2) / sqrt(2 * pi) / float(ndtr(at))
