"""What an explanation holds as a whole, where a cause is not quite the same in all its leaves."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.special import betaln, logit

from services.alerts.domain.columns import Floats, Ints
from services.alerts.domain.leaves import Leaves, tilt

UNEVEN: Final = 0.35  # how much a shift differs between its leaves, over the shift


def joint_log_ratio(leaves: Leaves, slices: Sequence[Ints], wobble: float) -> float:
    """The log likelihood ratio of slices' shifts together against no shift, in nats.

    `slices`: the leaves of each. A leaf's detractors are beta-binomial (Skellam 1948), its rate
    off what is expected with a deviation of `wobble` and of 0.35 of its own shift, on the logit
    scale. So a slice pays for each leaf that does not rise as the others do, once.
    """
    if not slices:
        return 0.0
    touched = np.unique(np.concatenate(slices))
    normal = leaves.rates[touched]
    answers, detractors = leaves.answers[touched], leaves.detractors[touched]
    weights = 1 / (1 + answers * normal * (1 - normal) * wobble**2)
    rates = normal
    for members in slices:
        inside = np.searchsorted(touched, members)
        rates = rates.copy()
        n, k = answers[inside] * weights[inside], detractors[inside] * weights[inside]
        rates[inside] = tilt(n, rates[inside], float(k.sum()))
    shift = UNEVEN * (logit(rates) - logit(normal))
    with_it = _log_likelihood(answers, detractors, rates, wobble**2 + shift**2)
    without = _log_likelihood(answers, detractors, normal, np.full(len(normal), wobble**2))
    return float((with_it - without).sum())


def _log_likelihood(answers: Floats, detractors: Floats, rates: Floats, spread: Floats) -> Floats:
    """Beta-binomial, but for the binomial coefficient; `spread` is a variance of log odds."""
    alike = rates * (1 - rates) * spread
    size = (1 - alike) / alike
    a, b = rates * size, (1 - rates) * size
    found: Floats = betaln(a + detractors, b + answers - detractors) - betaln(a, b)
    return found
