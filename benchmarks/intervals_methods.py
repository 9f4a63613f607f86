"""The published intervals of CSAT and CES that were weighed, for many tallies at once.

Each takes tallies and gives the two bounds, not yet cut to the scale. The chosen ones are those of
`shared.intervals`, so the table is about the product's own arithmetic.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, betaincinv, ndtri, stdtrit

from shared.intervals import METHODS
from shared.programme.metrics import Metric, find_metric
from shared.tally import Tallies

Floats = NDArray[np.float64]
Bounds = tuple[Floats, Floats]
Method = Callable[[Tallies], Bounds]

NPS: Final = find_metric("nps", (0, 10))
CSAT: Final = find_metric("csat", (1, 5))
CES: Final = find_metric("ces", (1, 7))
Z: Final = float(ndtri(0.975))


def chosen(metric: Metric) -> Method:
    """What the product says."""
    return lambda tallies: METHODS[metric.interval](tallies, metric).interval()


def wilson(k: NDArray[np.int64], n: NDArray[np.int64]) -> Bounds:
    centre = (k + Z * Z / 2) / (n + Z * Z)
    half = Z / (n + Z * Z) * np.sqrt(k * (n - k) / n + Z * Z / 4)
    return centre - half, centre + half


def csat_wald(t: Tallies) -> Bounds:
    p = t.promoters / t.n
    half = Z * np.sqrt(p * (1 - p) / t.n)
    return 100 * (p - half), 100 * (p + half)


def csat_wilson(t: Tallies) -> Bounds:
    low, high = wilson(t.promoters, t.n)
    return 100 * low, 100 * high


def csat_jeffreys(t: Tallies) -> Bounds:
    a, b = t.promoters + 0.5, t.n - t.promoters + 0.5
    return 100 * betaincinv(a, b, 0.025), 100 * betaincinv(a, b, 0.975)


def clopper_pearson(t: Tallies) -> Bounds:
    k, n = t.promoters, t.n
    low = np.where(k > 0, betaincinv(np.maximum(k, 1), n - k + 1, 0.025), 0)
    high = np.where(k < n, betaincinv(k + 1, np.maximum(n - k, 1), 0.975), 1)
    return 100 * low, 100 * high


def csat_bootstrap(t: Tallies) -> Bounds:
    n = int(t.n[0])
    below = bdtr(np.arange(n + 1)[None, :], n, (t.promoters / n)[:, None])
    low, high = ((below < q - 1e-12).sum(axis=1) for q in (0.025, 0.975))
    return 100 * low / n, 100 * high / n


def mean_after(imagined: float, *, student: bool) -> Method:
    """The mean, after so many imagined answers that are spread evenly over all points."""

    def bounds(t: Tallies) -> Bounds:
        n = t.n + imagined
        centre = (t.total + 4 * imagined) / n
        spread = np.maximum((t.squares + 20 * imagined) / n - centre**2, 0) / (n - 1)
        half = (stdtrit(n - 1, 0.975) if student else Z) * np.sqrt(spread)
        return centre - half, centre + half

    return bounds


CSAT_METHODS: Final[Mapping[str, Method]] = {
    "**Agresti and Coull (1998)**": chosen(CSAT),
    "Wilson (1927)": csat_wilson,
    "Bayes, Jeffreys' prior (Beta ½)": csat_jeffreys,
    "Clopper and Pearson (1934)": clopper_pearson,
    "bootstrap, percentiles: Efron (1979)": csat_bootstrap,
    "Wald": csat_wald,
}
CES_METHODS: Final[Mapping[str, Method]] = {
    "**normal, 2½ imagined at the ends and the middle**": chosen(CES),
    "Student's t, 2 imagined over all points; ours until now": mean_after(2, student=True),
    "Student's t, 3 imagined over all points": mean_after(3, student=True),
    "normal, 2½ imagined over all points": mean_after(2.5, student=False),
    "Student's t (1908)": mean_after(0, student=True),
    "Wald": mean_after(0, student=False),
}
