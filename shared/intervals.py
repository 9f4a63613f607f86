"""How sure a score is: an adjusted estimate and its variance, in closed form, for each metric.

Each adds a few imagined answers before it takes the variance, which is what keeps the coverage of
the interval near 95 % where answers are few or all alike; docs/intervals.md has the coverage of
these and of what else was weighed, ADR 0016 the choice. Every formula takes one group (`Tally`) or
many side by side (`Tallies`) and gives floats or arrays accordingly.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from shared.programme.metrics import IntervalKind, Metric
from shared.tally import Tallies, Tally

LEVEL = 0.95

Floats = NDArray[np.float64]
T = TypeVar("T", float, Floats)


@dataclass(frozen=True, slots=True)
class Estimate(Generic[T]):
    """An adjusted centre and its variance.

    `n`: the answers that it stands on, as many as independent ones would be, the imagined ones
    included.
    """

    centre: T
    variance: T
    n: T

    def interval(self, level: float = LEVEL) -> tuple[T, T]:
        """Two-sided, not yet cut to the scale."""
        return interval_of(self, level)


def interval_of(estimate: Estimate[T], level: float = LEVEL) -> tuple[T, T]:
    """Two-sided interval of an estimate, not yet cut to the scale."""
    half = float(ndtri((1 + level) / 2)) * estimate.variance**0.5
    return estimate.centre - half, estimate.centre + half


Formula = Callable[[Any, Metric, float, Any], Estimate[Any]]


@dataclass(frozen=True, slots=True)
class Method:
    """How sure one kind of score is: of a group floats, of many groups arrays.

    `weight` is 1 for an interval and 0.5 for each of two groups that are compared. `deff`, from 1
    to n, is the design effect: so many answers weigh like one independent answer (Kish 1965,
    Survey Sampling, 8.2). The imagined answers are added to the effective number, n / deff, as
    Korn and Graubard (1998, Survey Methodology 24, 193-201) and Franco, Little, Louis and Slud
    (2019, J. Surv. Stat. Methodol. 7, 334-364) do; a widened interval then holds the plain one.
    """

    formula: Formula

    @overload
    def __call__(
        self, tally: Tally, metric: Metric, weight: float = 1.0, deff: float = 1.0
    ) -> Estimate[float]: ...

    @overload
    def __call__(
        self, tally: Tallies, metric: Metric, weight: float = 1.0, deff: float | Floats = 1.0
    ) -> Estimate[Floats]: ...

    def __call__(
        self,
        tally: Tally | Tallies,
        metric: Metric,
        weight: float = 1.0,
        deff: float | Floats = 1.0,
    ) -> Estimate[float] | Estimate[Floats]:
        found = self.formula(tally, metric, weight, np.minimum(deff, np.maximum(tally.n, 1)))
        fields = (found.centre, found.variance, found.n)
        if isinstance(tally, Tally):
            return Estimate(*map(float, fields))
        return Estimate(*np.broadcast_arrays(*fields))


def net(tally: Any, _metric: Metric, weight: float, deff: Any) -> Estimate[Any]:
    """Promoters minus detractors, on -100..100.

    A difference of two shares of one sample: the adjusted Wald interval of Agresti and Min (2005,
    Stat. Med. 24, 729-740) and Bonett and Price (2012, J. Educ. Behav. Stat. 37, 479-488), the
    imagined answers in the two classes that differ, with the three that Rocks (2016, Am. Stat. 70,
    365-372) found best for NPS, half of them promoters and half detractors.
    """
    imagined = 1.5 * weight
    n = tally.n / deff + 2 * imagined
    promoters = (tally.promoters / deff + imagined) / n
    detractors = (tally.detractors / deff + imagined) / n
    centre = promoters - detractors
    spread = promoters + detractors - centre * centre
    return Estimate(100 * centre, 1e4 * spread / n, n)


def share(tally: Any, _metric: Metric, weight: float, deff: Any) -> Estimate[Any]:
    """The share of promoters, on 0..100.

    Agresti and Coull (1998, Am. Stat. 52, 119-126), two imagined answers on each side; with
    `weight` 0.5, one on each side, it is what Agresti and Caffo (2000, Am. Stat. 54, 280-288)
    use where two samples are compared.
    """
    n = tally.n / deff + 4 * weight
    centre = (tally.promoters / deff + 2 * weight) / n
    return Estimate(100 * centre, 1e4 * centre * (1 - centre) / n, n)


def mean(tally: Any, metric: Metric, weight: float, deff: Any) -> Estimate[Any]:
    """The mean of the points.

    The normal interval after two and a half imagined answers, spread evenly over the lowest, the
    middle and the highest point, as Agresti and Coull do for a share: without them the variance of
    equal answers is zero. On a short scale that variance is steadier than a normal one's
    (O'Neill 2014, Am. Stat. 68, 282-296), so Student's t on top of them is too wide.
    """
    imagined, (lowest, highest) = 2.5 * weight, metric.scale
    middle = (lowest + highest) / 2
    n = tally.n / deff + imagined
    total = tally.total / deff + imagined * middle
    squares = tally.squares / deff + imagined * (lowest**2 + middle**2 + highest**2) / 3
    centre = total / n
    return Estimate(centre, np.maximum(squares / n - centre * centre, 0.0) / (n - 1), n)


METHODS: dict[IntervalKind, Method] = {
    IntervalKind.NET: Method(net),
    IntervalKind.SHARE: Method(share),
    IntervalKind.MEAN: Method(mean),
}


@overload
def p_value(left: Estimate[float], right: Estimate[float]) -> float: ...


@overload
def p_value(left: Estimate[Floats], right: Estimate[Floats] | Estimate[float]) -> Floats: ...


def p_value(left: Estimate[Any], right: Estimate[Any]) -> float | Floats:
    """Two-sided z test of no difference between two independent estimates."""
    distance = abs(left.centre - right.centre) / (left.variance + right.variance) ** 0.5
    found: float | Floats = np.minimum(2 * ndtr(-distance), 1.0)
    return found
