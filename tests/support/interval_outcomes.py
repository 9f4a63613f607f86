"""Every outcome of a few answers, and the interval as it is shown."""

from typing import Any

import numpy as np

from shared.intervals import METHODS
from shared.programme.metrics import METRICS
from shared.tally import Tallies

NPS, CSAT, _, CES = METRICS[:4]
ENDS = {"nps": (-100, 100), "csat": (0, 100), "ces": (1, 7)}


def shown(metric: Any, tallies: Any, points: Any, deff: float = 1.0) -> Any:
    """The interval as it is shown: cut to the scale and holding the plain score."""
    low, high = METHODS[metric.interval](tallies, metric, 1.0, deff).interval()
    lowest, highest = ENDS[metric.name]
    return np.minimum(np.maximum(low, lowest), points), np.maximum(
        np.minimum(high, highest), points
    )


def nps_outcomes(n: int) -> Any:
    p, d = (side.ravel() for side in np.meshgrid(np.arange(n + 1), np.arange(n + 1)))
    p, d = p[p + d <= n], d[p + d <= n]
    return Tallies(p, n - p - d, d, p - d, p + d), 100 * (p - d) / n


def csat_outcomes(n: int) -> Any:
    k = np.arange(n + 1)
    return Tallies(k, k * 0, n - k, k, k), 100 * k / n


def ces_outcomes(shape: Any, n: int) -> Any:
    """Tallies and scores of every sum and sum of squares of n answers, and their probability."""
    steps = np.arange(7)
    one = np.zeros((6 * n + 1, 36 * n + 1))
    one[steps, steps**2] = shape
    joint = np.fft.irfft2(np.fft.rfft2(one) ** n, s=one.shape)
    first, second = np.nonzero(joint > 1e-13)
    total, none = first + n, np.zeros_like(first)
    tallies = Tallies(none + n, none, none, total, second + 2 * first + n)
    return tallies, total / n, joint[first, second]
