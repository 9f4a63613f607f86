"""How much less answers tell that come in clusters: of one day, of one agent.

Answers of one day are more alike than those of different days, so a hundred of them tell less
than a hundred independent ones. How alike is estimated once for a whole slice, within its
segments; how much it matters for a group depends on how its own answers crowd together.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from shared.intervals import Floats
from shared.programme.metrics import Metric, ScoreKind
from shared.tally import Tallies

Codes = NDArray[np.int64]
Numbers = NDArray[np.int64] | Floats


@dataclass(frozen=True, slots=True)
class Cells:
    """The answers of a slice by segment and cluster, one entry a cell; empty cells may stand.

    `segment`: from 0 on, in any order. `total` and `squares`: sums of the answers' values.
    """

    segment: Codes
    n: Numbers
    total: Numbers
    squares: Numbers


def cells_of(segment: Codes, tallies: Tallies, metric: Metric) -> Cells:
    """Cells with the values that the score is a mean of.

    1, 0 and -1 for promoters, passives and detractors where it is net; 1 for promoters, else 0,
    where it is a share; the points where it is their mean.
    """
    if metric.score is ScoreKind.NET:
        total = tallies.promoters - tallies.detractors
        return Cells(segment, tallies.n, total, tallies.promoters + tallies.detractors)
    if metric.score is ScoreKind.TOP_SHARE:
        return Cells(segment, tallies.n, tallies.promoters, tallies.promoters)
    return Cells(segment, tallies.n, tallies.total, tallies.squares)


def intraclass(cells: Cells) -> float:
    """How alike answers of one cluster are, beside others of their segment: 0 (not) to 1.

    The intraclass correlation by one-way analysis of variance with clusters of unequal size
    (Donner 1986, Int. Stat. Rev. 54, 67-82), pooled over the segments. What may be chance is
    taken off, as the positive part of James and Stein's estimate does (1961, Proc. 4th Berkeley
    Symp. 1, 361-379), by the standard error that it has where answers are independent: twice that
    keeps three quarters, less than once keeps nothing. 0 where too few answers share a cluster.
    """
    kept = cells.n > 0
    segment, n, total = cells.segment[kept], cells.n[kept], cells.total[kept]
    sizes, sums = np.bincount(segment, n), np.bincount(segment, total)
    held = sizes > 0
    answers, segments = float(sizes.sum()), int(held.sum())
    between = len(n) - segments
    within = answers - len(n)
    if between < 1 or within <= 4:
        return 0.0
    inside = float((total * total / n).sum())
    msb = (inside - float((sums[held] ** 2 / sizes[held]).sum())) / between
    msw = (float(cells.squares[kept].sum()) - inside) / within
    size = (answers - float((np.bincount(segment, n * n)[held] / sizes[held]).sum())) / between
    if msb <= msw:
        return 0.0
    rho = (msb - msw) / (msb + (size - 1) * msw)
    return rho * max(0.0, 1 - (_error(between, within, size) / rho) ** 2)


def _error(between: float, within: float, size: float) -> float:
    """Standard error of the intraclass correlation of independent answers, from F's variance."""
    spread = 2 * within**2 * (between + within - 2)
    return sqrt(spread / (between * (within - 2) ** 2 * (within - 4))) / size


def crowding(group: Codes, n: Numbers, groups: int) -> Floats:
    """How many answers of its own cluster an answer has around it, itself included, by group.

    sum(n²) / sum(n) over the group's clusters (Kish 1965, Survey Sampling, 5.4 and 8.2); 1 where
    each answer is alone, and where there are none.
    """
    sizes = np.bincount(group, n, groups)
    squares = np.bincount(group, np.square(n), groups)
    found: Floats = np.where(sizes > 0, squares / np.maximum(sizes, 1.0), 1.0)
    return found


def design_effect(kinds: Iterable[tuple[Floats, float]], groups: int) -> Floats:
    """How many answers weigh like one independent one, at least 1, by group; 1 without any kind.

    1 + (m - 1) rho (Kish 1965, Survey Sampling, 5.4) of (m, rho) of each kind of cluster, such as
    day and agent, added up as variances of independent causes are.
    """
    effect: Floats = np.ones(groups)
    for crowd, rho in kinds:
        effect += (np.maximum(crowd, 1.0) - 1) * rho
    return effect
