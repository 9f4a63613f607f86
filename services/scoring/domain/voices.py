"""The reasons that the classes of a group give, without a second look at the answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shared.programme.metrics import Klass

SHOWN = 50  # reasons of a group that are named; what else was said is one bit behind them

_BITS = np.arange(SHOWN + 1)
_CHUNK = 10_000


@dataclass(frozen=True, slots=True)
class Voices:
    """What one class said: how many answers gave exactly which reasons.

    Bit i of a mask is the group's reason i; bit `SHOWN` any reason that is not named. A mask may
    come twice; 0 is an answer without a reason.
    """

    masks: Sequence[int] = ()
    counts: Sequence[int] = ()

    @property
    def n(self) -> int:
        return sum(self.counts)

    @property
    def with_reasons(self) -> int:
        return self.giving(-1)

    def giving(self, wanted: int) -> int:
        """The answers that give at least one of the reasons whose bits are set in `wanted`."""
        masks, counts = self._columns()
        return int(counts[(masks & wanted) != 0].sum())

    def by_reason(self) -> list[int]:
        """The answers that give each reason, those that are not named last."""
        masks, counts = self._columns()
        sums = np.zeros(SHOWN + 1, np.int64)
        for first in range(0, len(masks), _CHUNK):
            chunk = slice(first, first + _CHUNK)
            sums += counts[chunk] @ (masks[chunk, None] >> _BITS & 1)
        return [int(count) for count in sums]

    def _columns(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return np.array(self.masks, np.int64), np.array(self.counts, np.int64)


@dataclass(frozen=True, slots=True)
class Group:
    """One group's answers: its reasons, the most frequent first, and what each class said."""

    reasons: tuple[str, ...] = ()
    unnamed: int = 0  # further reasons, each less frequent
    classes: dict[Klass, Voices] = field(default_factory=dict)

    def voices(self, klass: Klass) -> Voices:
        return self.classes.get(klass, Voices())

    @property
    def n(self) -> int:
        return sum(voices.n for voices in self.classes.values())
