"""What counts, in columns: one entry an answer, and one an invitation that was sent."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.scoring.store.columns.counted import Counted
from services.scoring.store.columns.spans import Ints

Codes = NDArray[Any]  # unsigned, as narrow as the codes allow
Chosen = slice | Ints | NDArray[np.bool_]
_PIECE: Final = 131_072


@dataclass(frozen=True, eq=False)
class Entries:
    """Arrays of one length, in microseconds since 1970 and codes of the book.

    `column` is that of the sums: a point, `INVITED` where nobody answered, or `ANSWERED` for an
    invitation that was answered, which counts as sent too. 19 bytes an entry, and one or two for
    each dimension.
    """

    time: Ints
    event: Ints
    column: Codes
    kind: Codes
    survey: Codes
    values: tuple[Codes, ...]

    def __len__(self) -> int:
        return len(self.time)

    def part(self, chosen: Chosen) -> "Entries":
        """Only these."""
        return Entries(
            self.time[chosen],
            self.event[chosen],
            self.column[chosen],
            self.kind[chosen],
            self.survey[chosen],
            tuple(values[chosen] for values in self.values),
        )

    def sorted(self) -> "Entries":
        """In rising time."""
        return self.part(np.argsort(self.time, kind="stable"))

    @property
    def bytes(self) -> int:
        arrays = (self.time, self.event, self.column, self.kind, self.survey, *self.values)
        return sum(one.nbytes for one in arrays)


def no_entries(dimensions: int) -> Entries:
    """None at all."""
    time, code = np.empty(0, np.int64), np.empty(0, np.uint8)
    return Entries(time, time, code, code, code, (code,) * dimensions)


def join(parts: Sequence[Entries]) -> Entries:
    """All of them, one after the other; at least one part."""
    if len(parts) == 1:
        return parts[0]
    return Entries(
        np.concatenate([one.time for one in parts]),
        np.concatenate([one.event for one in parts]),
        np.concatenate([one.column for one in parts]),
        np.concatenate([one.kind for one in parts]),
        np.concatenate([one.survey for one in parts]),
        tuple(np.concatenate(columns) for columns in zip(*(o.values for o in parts), strict=True)),
    )


@dataclass(frozen=True, eq=False)
class Stretch:
    """All entries of `[start, end)` in rising time."""

    start: int
    end: int
    entries: Entries
    counted: Counted = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "counted", Counted(self.entries.bytes))

    @property
    def bytes(self) -> int:
        return self.entries.bytes + self.counted.bytes

    def span(self, *, on_event: bool) -> tuple[int, int]:
        """The first and the last moment of its entries; of none the last lies before the first."""
        return self._events if on_event else self._times

    @cached_property
    def _times(self) -> tuple[int, int]:
        return _span(self.entries.time)

    @cached_property
    def _events(self) -> tuple[int, int]:
        return _span(self.entries.event)

    def within(self, start: int, end: int) -> slice:
        """Where the entries of this span stand."""
        low, high = np.searchsorted(self.entries.time, (start, end))
        return slice(int(low), int(high))

    def pieces(self) -> list["Stretch"]:
        """The same as stretches of a middling size; equal moments stay together."""
        time = self.entries.time
        cuts = [0]
        for place in range(_PIECE, len(time) - _PIECE // 2, _PIECE):
            cut = int(np.searchsorted(time, time[place]))
            if cut > cuts[-1]:
                cuts.append(cut)
        bounds = [self.start, *(int(time[cut]) for cut in cuts[1:]), self.end]
        ends = [*cuts[1:], len(time)]
        return [
            Stretch(bounds[n], bounds[n + 1], self.entries.part(slice(low, high)))
            for n, (low, high) in enumerate(zip(cuts, ends, strict=True))
        ]


def _span(moments: Ints) -> tuple[int, int]:
    return (int(moments.min()), int(moments.max())) if len(moments) else (0, -1)
