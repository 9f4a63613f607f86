"""How much less answers tell that come in clusters: of one day, of one agent.

Answers of one day are more alike than those of different days, so a hundred of them tell less
than a hundred independent ones. How alike is estimated once for a whole slice, within its
segments; how much it matters for a group depends on how its own answers crowd together.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.intervals import Floats
from shared.programme.metrics import Metric, ScoreKind
from shared.tally import Tallies

_FEW = 4  # F has no variance with so few degrees of freedom

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
    (Donner 1986, Int. Stat. Rev. 54, 67-82). Segments are pooled by how much each can tell, every
    one beside its own variance, so that segments which differ in it are not taken for clusters.
    What may be chance is taken off, as the positive part of James and Stein's estimate does (1961,
    Proc. 4th Berkeley Symp. 1, 361-379), by the standard error that it has where answers are
    independent: twice that keeps three quarters, less than once keeps nothing. Where few answers
    share a cluster that error is itself not known well and taken for greater, as F's variance is.
    """
    kept = cells.n > 0
    segment, n, total = cells.segment[kept], cells.n[kept], cells.total[kept]
    answers, sums = np.bincount(segment, n), np.bincount(segment, total)
    clusters, crowd = np.bincount(segment), np.bincount(segment, n * n)
    told = (clusters > 1) & (answers > clusters)  # more than one, and one of more than one answer
    shared = float((answers - clusters)[told].sum())
    if shared <= _FEW:
        return 0.0
    answers, clusters, mean = answers[told], clusters[told], sums[told] ** 2 / answers[told]
    inside = np.bincount(segment, total * total / n)[told]
    variance = (np.bincount(segment, cells.squares[kept])[told] - mean) / (answers - 1)
    excess = float((inside - mean - (clusters - 1) * variance).sum())
    spread = answers - crowd[told] / answers  # clusters less one, times their size
    weight = spread * (answers - clusters) / (answers - 1)
    known = float((weight * variance).sum())
    if excess <= 0 or known <= 0:
        return 0.0
    short = float((weight * (1 - spread / (answers - 1))).sum() / weight.sum())
    spreads = 2 * (clusters - 1) * (answers - clusters) / (answers + 1) * variance**2
    chance = float(spreads.sum()) * (shared / (shared - _FEW)) ** 2
    return min(1.0, max(0.0, 1 - chance / excess**2) * excess / (known + short * excess))


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
