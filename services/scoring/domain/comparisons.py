"""Many comparisons in one go: each p-value, and what is left of it where so many were made."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.scoring.domain.scores import points_of
from shared.intervals import METHODS, p_value
from shared.programme.metrics import Metric
from shared.tally import Tallies

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Compared:
    """Each group beside its other, one entry a group.

    `score` and `n` are the other's; `change` is the group's score less the other's. NaN where
    nobody answered on one of the sides.
    """

    n: NDArray[np.int64]
    score: Floats
    change: Floats
    p_value: Floats
    p_adjusted: Floats


@dataclass(frozen=True, slots=True)
class Side:
    """Groups side by side, and by how much the variance of each is widened (at least 1)."""

    tallies: Tallies
    deff: Floats


def compare_all(groups: Side, others: Side, metric: Metric, but: int | None = None) -> Compared:
    """Compare each group with its other; all of them are one family of comparisons.

    One other may stand for all groups. The group at `but` is left out.
    """
    score, sizes = points_of(others.tallies, metric), groups.tallies.n
    change = points_of(groups.tallies, metric) - score
    if but is not None:
        change[but] = np.nan
    estimate = METHODS[metric.interval]
    p = p_value(
        estimate(groups.tallies, metric, 0.5, groups.deff),
        estimate(others.tallies, metric, 0.5, others.deff),
    )
    found = np.where(np.isnan(change), np.nan, p)
    return Compared(
        n=np.broadcast_to(others.tallies.n, sizes.shape),
        score=np.broadcast_to(score, sizes.shape),
        change=change,
        p_value=found,
        p_adjusted=adjusted(found),
    )


def adjusted(p_values: Floats) -> Floats:
    """The p-values of Benjamini and Hochberg (1995, J. R. Stat. Soc. B 57, 289-300).

    Calling different what stays under q errs in at most a share q of the calls, on average.
    NaN is no comparison: it counts for none and stays NaN.
    """
    made = np.flatnonzero(~np.isnan(p_values))
    order = made[np.argsort(p_values[made], kind="stable")]
    scaled = p_values[order] * (len(order) / np.arange(1, len(order) + 1))
    found = np.full(len(p_values), np.nan)
    # the least of this and all greater ones; 1.0 and rounding stay on their side
    least = np.minimum.accumulate(scaled[::-1])[::-1]
    found[order] = np.minimum(np.maximum(least, p_values[order]), 1.0)
    return found


def rest_of(whole: Tallies, groups: Tallies) -> Tallies:
    """All answers of the whole that are not in the group, for each group."""
    return Tallies(
        whole.promoters - groups.promoters,
        whole.passives - groups.passives,
        whole.detractors - groups.detractors,
        whole.total - groups.total,
        whole.squares - groups.squares,
    )


def alone(side: Side, place: int | None) -> Side:
    """The one group at this place, or one without answers; beside many it stands for all."""
    if place is None:
        return Side(Tallies(*(np.zeros(1, np.int64) for _ in range(5))), np.ones(1))
    one, groups = slice(place, place + 1), side.tallies
    kept = Tallies(
        groups.promoters[one],
        groups.passives[one],
        groups.detractors[one],
        groups.total[one],
        groups.squares[one],
    )
    return Side(kept, side.deff[one])
