"""Spans of time as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Spans:
    """Half open spans in microseconds, rising, none touching another."""

    starts: Ints
    ends: Ints

    @classmethod
    def of(cls, starts: Sequence[int] | Ints, ends: Sequence[int] | Ints) -> Self:
        """Spans in any order, which may overlap."""
        low, high = np.asarray(starts, np.int64), np.asarray(ends, np.int64)
        if not len(low):
            return cls(low, high)
        order = np.argsort(low, kind="stable")
        low, high = low[order], np.maximum.accumulate(high[order])
        first = np.concatenate(([True], low[1:] > high[:-1]))
        return cls(low[first], high[np.concatenate((np.flatnonzero(first)[1:] - 1, [-1]))])

    def __len__(self) -> int:
        return len(self.starts)

    def __or__(self, other: "Spans") -> "Spans":
        if not len(other):
            return self
        starts = np.concatenate((self.starts, other.starts))
        return Spans.of(starts, np.concatenate((self.ends, other.ends)))

    def since(self, start: int) -> "Spans":
        """What of them is not before `start`."""
        kept = self.ends > start
        return Spans(np.maximum(self.starts[kept], start), self.ends[kept])

    def within(self, start: int, end: int) -> "Spans":
        """What of them lies between the two."""
        kept = (self.ends > start) & (self.starts < end)
        return Spans(np.maximum(self.starts[kept], start), np.minimum(self.ends[kept], end))

    def hold(self, times: Ints) -> NDArray[np.bool_]:
        """Which of the moments lie within."""
        if not len(self):
            return np.zeros(len(times), bool)
        place = np.searchsorted(self.starts, times, side="right") - 1
        return (place >= 0) & (times < self.ends[place])
