"""Prometheus's kinds of series, with labels that customers' values cannot make grow.

Of each label the first 100 values are told apart, and all further ones are `other`.
"""

from bisect import bisect_left
from collections import Counter as Numbers
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, Self

import prometheus_client
from prometheus_client.metrics import MetricWrapperBase

MOST: Final = 100
OTHER: Final = "other"

# the moment of each counter's first increase doubles the number of series and tells nobody anything
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]


class _Bounded(MetricWrapperBase):
    """One series by label values."""

    def __init__(self, *about: Any, **more: Any) -> None:
        super().__init__(*about, **more)
        self._told_apart: tuple[set[str], ...] = tuple(set() for _ in self._labelnames)

    @property
    def label_names(self) -> tuple[str, ...]:
        return tuple(self._labelnames)

    def labels(self, *values: object, **named: object) -> Self:
        """The series of these values, all of them or none by name; beyond the bound, of `other`."""
        if named:
            values = tuple(named[name] for name in self._labelnames if name in named)
            if len(values) != len(named):
                raise ValueError(f"the labels are {', '.join(self._labelnames)}")
        if len(values) != len(self._labelnames):
            return super().labels(*values)  # says what is wrong
        both = zip(self._told_apart, map(str, values), strict=True)
        return super().labels(*(_bound(told_apart, value) for told_apart, value in both))

    def clear(self) -> None:
        super().clear()
        for told_apart in self._told_apart:
            told_apart.clear()


def _bound(told_apart: set[str], value: str) -> str:
    if value not in told_apart:
        if len(told_apart) >= MOST:
            return OTHER
        told_apart.add(value)
    return value


class Counter(_Bounded, prometheus_client.Counter):
    """Only grows; its name ends in `_total`, which is added."""


class Gauge(_Bounded, prometheus_client.Gauge):
    """Goes up and down. Beyond the bound of a label, `other` is what was set last."""


class Histogram(_Bounded, prometheus_client.Histogram):
    """How many observations were at most so large."""

    def observe_all(self, values: Sequence[float]) -> None:
        """As `observe`, for many at a tenth of the cost; what is below 0 counts as 0."""
        self._sum.inc(max(0.0, sum(values)))
        places = Numbers(map(partial(bisect_left, self._upper_bounds), values))
        for place, number in places.items():
            self._buckets[place].inc(number)
