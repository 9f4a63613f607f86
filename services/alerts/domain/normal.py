"""What share of detractors is normal in each leaf, from what came before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import expit, logit

from services.alerts.domain.columns import Floats, Ints
from services.alerts.domain.lattice import sum_by
from services.alerts.domain.leaves import ABSENT, Leaves, Segment
from services.alerts.domain.streams import LeafTick, read_leaf

PARENT_ANSWERS: Final = 30.0  # what a leaf's parents weigh beside its own past
VALUE_DETRACTORS: Final = 10.0
ROUNDS: Final = 4

Marginals = Mapping[tuple[str, str], float]


@dataclass(frozen=True)
class Scene:
    """A line's leaves since an onset, raw counts, and the answers behind each normal rate."""

    leaves: Leaves
    mass: Floats

    def mass_within(self, segment: Segment) -> float:
        """The past answers behind a segment's normal rate."""
        return float(self.mass[self.leaves.within(segment)].sum())


def build_scene(
    now: Sequence[LeafTick], before: Sequence[LeafTick], rate: float, marginals: Marginals
) -> Scene:
    """Set what came since an onset against what came before it.

    A leaf's rate is that of its own past, shrunk towards its parents: the overall rate with the
    effects of each of its values, found by fitting each value's margin in turn (Deming, Stephan
    1940). `rate` and `marginals`, by dimension and value, are what the detector holds normal: they
    stand above the past, which may hold an old normal or an old fault.
    """
    past = {tick.leaf: tick for tick in before}
    present = {tick.leaf for tick in now}
    known = [*now, *(tick for tick in before if tick.leaf not in present)]
    segments = [read_leaf(tick.leaf) for tick in known]
    counts = np.array([past.get(tick.leaf, tick._replace(answers=0))[1:3] for tick in known], float)
    counts = counts.reshape(len(known), 2)
    answers = counts[:, 0]
    detractors = np.where(answers > 0, counts[:, 1], 0.0)
    leaves = Leaves.of(segments, answers, detractors, np.full(len(known), rate))
    odds = np.asarray(logit(leaves.rates))
    for _ in range(ROUNDS):
        odds = _fit_margins(leaves, odds)
    own = (detractors + PARENT_ANSWERS * expit(odds)) / (answers + PARENT_ANSWERS)
    odds = np.asarray(logit(np.clip(own, 1e-4, 1 - 1e-4)))
    many = len(now)
    weights = answers.copy()  # of the mix that rings too: a value may have been rare before
    weights[:many] += [tick.answers for tick in now]
    for _ in range(ROUNDS if marginals else 0):
        odds = _meet_margins(leaves, odds, weights, marginals)
    rates = expit(odds[:many])
    current = Leaves.of(
        segments[:many],
        np.array([tick.answers for tick in now], float),
        np.array([tick.detractors for tick in now], float),
        rates,
    )
    return Scene(current, answers[:many])


def _fit_margins(leaves: Leaves, odds: Floats) -> Floats:
    """One round: shift each value's leaves towards its past."""
    for j, values in enumerate(leaves.values):
        there, many = _places(leaves, j, len(values))
        answers = sum_by(there, leaves.answers, many)
        expected = sum_by(there, leaves.answers * expit(odds), many)
        target = sum_by(there, leaves.detractors, many)
        shift = _log_ratio(target, expected) - _log_ratio(answers - target, answers - expected)
        odds = odds + shift[there]
    return odds


def _meet_margins(leaves: Leaves, odds: Floats, weights: Floats, marginals: Marginals) -> Floats:
    """One round: shift each value's leaves so that, so weighted, they meet what is known of it."""
    for j, (name, values) in enumerate(zip(leaves.names, leaves.values, strict=True)):
        there, many = _places(leaves, j, len(values))
        answers = sum_by(there, weights, many)
        expected = sum_by(there, weights * expit(odds), many)
        known = np.array([*(marginals.get((name, value), np.nan) for value in values), np.nan])
        share = expected / np.maximum(answers, 1e-9)
        met = np.isnan(known) | (answers <= 0)
        target = np.clip(np.where(met, 0.5, known), 1e-4, 1 - 1e-4)
        share = np.clip(np.where(met, 0.5, share), 1e-4, 1 - 1e-4)
        odds = odds + (logit(target) - logit(share))[there]
    return odds


def _places(leaves: Leaves, j: int, many: int) -> tuple[Ints, int]:
    """Each leaf's value of a dimension, those without it behind the last; how many in all."""
    codes = leaves.codes[:, j]
    return np.where(codes == ABSENT, many, codes), many + 1


def _log_ratio(seen: Floats, expected: Floats) -> Floats:
    prior = VALUE_DETRACTORS
    ratio: Floats = np.log((np.maximum(seen, 0) + prior) / (np.maximum(expected, 0) + prior))
    return ratio
