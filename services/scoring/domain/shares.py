"""A share of some answers or events, never without its interval."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from shared.intervals import LEVEL, METHODS, Estimate
from shared.programme.metrics import METRICS, IntervalKind, Metric
from shared.tally import Tally

# Any metric whose score is a share: the formula of a share does not look at the scale.
SHARE: Final[Metric] = next(one for one in METRICS if one.interval is IntervalKind.SHARE)


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its 95 % interval, both 0 to 1."""

    share: float
    interval: tuple[float, float]


@lru_cache(maxsize=50_000)
def share_of(count: int, n: int) -> Share | None:
    """`count` of `n` with its interval, cut to 0..1 and holding the share; None of nobody."""
    if n <= 0:
        return None
    share = count / n
    low, high = (bound / 100 for bound in estimate_share(count, n, 1.0).interval(LEVEL))
    return Share(share, (min(max(low, 0.0), share), max(min(high, 1.0), share)))


def estimate_share(count: int, n: int, weight: float) -> Estimate[float]:
    """The adjusted share, on 0..100; `weight` 0.5 where two are compared."""
    return METHODS[SHARE.interval](Tally(promoters=count, detractors=n - count), SHARE, weight)
