"""Intervals that stay valid however often they are looked at.

An ordinary 95 % interval is right at one look that was fixed beforehand; looked at every day it is
wrong, sooner or later, far more often. Here the whole sequence of intervals, at 1, 2, 3 … outcomes,
holds the mean with the stated level.

The method is betting: Waudby-Smith and Ramdas (2024, J. R. Stat. Soc. B 86, 1-27), hedged capital
with constant bets, averaged over many bets (Robbins 1970, Ann. Math. Stat. 41, 1397-1409). Whoever
bets that the mean of outcomes in [0, 1] is above m, with the share f of the capital, multiplies it
by 1 - f + f x / m at outcome x; if the mean is m, that is fair, so that the capital ever reaches
1 / alpha with a probability of at most alpha (Ville 1939). The interval holds every m at which it
stands below. Nothing is approximated: it holds from the first outcome on, for any distribution
within the bounds, and it does not depend on the order, so that counts are all it needs.

Two variants are compared by pairs: the first outcome of one with the first of the other, and so on.
The differences in [-1, 1] are bounded outcomes like any others, whatever the two means are, and a
season that both variants live through cancels out. What has no partner yet waits.
"""

from collections.abc import Callable, Mapping
from math import log
from typing import Final

import numpy as np
from numpy.typing import NDArray

LEVEL: Final = 0.95
# Shares of the capital, halved each time; the smaller the bet, the later it is the best one.
_BETS: Final = 0.5 ** np.arange(1, 11)
_WEIGHTS: Final = 1 / np.arange(1, 11) / (1 / np.arange(1, 11)).sum()
_STEPS: Final = 40  # halvings: to 1e-12 of the scale

Array = NDArray[np.float64]


def log_capital(counts: Array, outcomes: Array, mean: float) -> Array:
    """Logarithm of the capital, were `mean` the true one; 0 < mean < 1.

    `counts` of each of the `outcomes` (in [0, 1]) along the last axis; one capital a row.
    """
    up = 1 + _BETS[:, None] * (outcomes / mean - 1)
    down = 1 + _BETS[:, None] * ((1 - outcomes) / (1 - mean) - 1)
    grown = counts @ np.log(np.concatenate([up, down])).T
    weighted: Array = np.logaddexp.reduce(grown + np.log(np.tile(_WEIGHTS / 2, 2)), axis=-1)
    return weighted


def interval(counts: Mapping[float, int], level: float = LEVEL) -> tuple[float, float]:
    """The interval of a mean of outcomes in [0, 1], from how often each was seen.

    The probability that it ever leaves out the true mean, at any number of outcomes, is at most
    1 - `level`. Without outcomes it is the whole scale.
    """
    n = sum(counts.values())
    if not n:
        return 0.0, 1.0
    seen, often = np.array(list(counts), float), np.array(list(counts.values()), float)
    centre = float(seen @ often) / n
    threshold = -log(1 - level)

    def inside(mean: float) -> bool:
        return bool(log_capital(often, seen, mean) < threshold)

    return _edge(centre, 0.0, inside), _edge(centre, 1.0, inside)


def _edge(centre: float, bound: float, inside: Callable[[float], bool]) -> float:
    """Where the interval ends between the plain mean, which it always holds, and a bound.

    Each bet's capital is log-convex in the mean, so that there is one such place.
    """
    near, far = centre, bound
    for _ in range(_STEPS if centre != bound else 0):
        middle = (near + far) / 2
        near, far = (middle, far) if inside(middle) else (near, middle)
    return far


def difference(counts: Mapping[float, int], level: float = LEVEL) -> tuple[float, float]:
    """The interval of a difference of two means, from the differences in [-1, 1] of pairs."""
    low, high = interval({(1 + each) / 2: often for each, often in counts.items()}, level)
    return 2 * low - 1, 2 * high - 1
