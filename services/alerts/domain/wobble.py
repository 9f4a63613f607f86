"""Learn how much a stream's level moves by itself, from how blocks of its answers differ.

Two blocks of one stream at a distance L, each an excess x in logits of binomial variance v, differ
by d with E d² = v1 + v2 + 2 V(L): a structure function (Kolmogorov 1941; the variogram of Matheron
1963). V is pooled over streams with weights 1 / (v + .05)², d² is cut at nine times what is
expected (3 sd; 1.027 makes up for the cut of a normal), so that past spikes do not widen it, and a
prior of weight 1,000 stands in for what was not seen:

    flicker² = V(1 h), day wobble² = max(V(6 h), V(24 h)), drift = the slope of V over 1 to 7 days

in half steps, for a random walk of D per hour adds D L / 2 to V(L); by weighted least squares, so
that it shows as soon as days differ, not after a week. What is older than four weeks fades.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self

import numpy as np

from services.alerts.domain.columns import Flags, Floats
from services.alerts.domain.frame import DAY_H, MEMORY_H, WEEK_H
from services.alerts.domain.terms import FleetTerms

DAY_LAGS: Final = ("day", "2 days", "3 days", "4 days", "5 days", "6 days", "week")
LAGS: Final = ("hour", "quarter", *DAY_LAGS)
HALF_STEPS: Final = dict(zip(DAY_LAGS, DAY_H / 2 * np.arange(len(DAY_LAGS)), strict=True))
WEEK_HALF_STEPS: Final = (WEEK_H - DAY_H) / 2
LEAST_INFORMATION: Final = 0.5
PRIOR_WEIGHT: Final = 1000.0
DRIFT_PRIORS: Final = 4.0  # drift is the difference of two: it takes more to be believed
LEAST_DRIFT: Final = 1e-7
_SURE: Final = 0.05
_CUT: Final = 9.0
_MADE_UP: Final = 1.027


class Block(NamedTuple):
    """Raw answers of each stream in some time, and detractors without what the season explains."""

    answers: Floats
    detractors: Floats


@dataclass
class Wobble:
    """Sums of the pairs seen, fading: weight, and weighted variance over binomial, by lag."""

    weight: dict[str, float] = field(default_factory=lambda: dict.fromkeys(LAGS, 0.0))
    excess: dict[str, float] = field(default_factory=lambda: dict.fromkeys(LAGS, 0.0))

    def note(self, pairs: Mapping[str, tuple[float, float]]) -> None:
        """Add weights and excesses."""
        for lag, (weight, excess) in pairs.items():
            self.weight[lag] += weight
            self.excess[lag] += excess

    def fade(self, hours: float) -> None:
        """Let time pass."""
        kept = float(np.exp(-hours / MEMORY_H))
        self.weight = {lag: kept * x for lag, x in self.weight.items()}
        self.excess = {lag: kept * x for lag, x in self.excess.items()}

    def variance(self, lag: str, prior: float, prior_weight: float) -> float:
        """V at a lag, shrunk to its prior; not below 0."""
        known = self.excess[lag] + prior_weight * prior
        return max(known / (self.weight[lag] + prior_weight), 0.0)

    def learn(self, terms: FleetTerms, overlap: float) -> tuple[float, float, float]:
        """Give day wobble, flicker (both sd) and drift; `overlap`: streams that share an answer."""
        prior_weight = PRIOR_WEIGHT * overlap
        day = self.variance("day", terms.day_wobble**2, prior_weight)
        quarter = self.variance("quarter", terms.day_wobble**2, prior_weight)
        hour = self.variance("hour", terms.flicker**2, prior_weight)
        return max(day, quarter) ** 0.5, hour**0.5, self.learn_drift(terms, prior_weight)

    def learn_drift(self, terms: FleetTerms, prior_weight: float) -> float:
        """Fit how V rises with the days between; the prior counts as week-long pairs do."""
        weight = np.array([self.weight[lag] for lag in DAY_LAGS])
        excess = np.array([self.excess[lag] for lag in DAY_LAGS])
        steps = np.array(list(HALF_STEPS.values())) / WEEK_HALF_STEPS
        steps = steps - (weight @ steps) / max(weight.sum(), 1e-9)
        prior = DRIFT_PRIORS * prior_weight
        drift = steps @ excess / WEEK_HALF_STEPS + prior * terms.drift
        return max(float(drift / (weight @ steps**2 + prior)), LEAST_DRIFT)

    @classmethod
    def from_record(cls, record: Mapping[str, Mapping[str, float]]) -> Self:
        """Take back what `dataclasses.asdict` gave."""
        none = dict.fromkeys(LAGS, 0.0)
        return cls(none | dict(record["weight"]), none | dict(record["excess"]))


def expected(terms: FleetTerms) -> dict[str, float]:
    """V by lag as those terms have it: beyond three times its root a pair is an outlier."""
    day = terms.day_wobble**2
    of_days = {lag: day + terms.drift * steps for lag, steps in HALF_STEPS.items()}
    return {"hour": terms.flicker**2, "quarter": day, **of_days}


def compare(
    one: Block, two: Block, rate: Floats, dispersion: Floats, variance: float, which: Flags
) -> tuple[float, float]:
    """Weigh each stream's pair of blocks, where `which`: sum of weights, and of excess variance."""
    spread = rate * (1 - rate)
    first, second = one.answers * spread, two.answers * spread
    used = which & (first > LEAST_INFORMATION) & (second > LEAST_INFORMATION)
    if not used.any():
        return 0.0, 0.0
    first, second, rate = first[used], second[used], rate[used]
    apart = (two.detractors[used] - two.answers[used] * rate) / second
    apart -= (one.detractors[used] - one.answers[used] * rate) / first
    binomial = dispersion[used] * (1 / first + 1 / second)
    weight = 1 / (binomial + _SURE) ** 2
    squared = np.minimum(apart * apart, _CUT * (binomial + 2 * variance))
    return float(weight.sum()), float((weight * (_MADE_UP * squared - binomial)).sum() / 2)
