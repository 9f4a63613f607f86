"""How often each place was met in each cell of each slice: a batch as numbers, not row by row.

A batch of 2,000 answers over 8 dimensions and 10 pairs has 14,000 counts in 1,500 cells. Counted
in Python's own containers that was a third of all time that scoring spends on an answer.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Values = tuple[str | None, ...]
S = TypeVar("S", bound=tuple[Any, ...])
OTHER: Final = "other"
ABSENT: Final = -1


@dataclass(frozen=True)
class Places(Generic[S]):
    """Where truths count: each spot, and beside it each dimension's value (a column each).

    A spot is a place and, last, which of the place's sums it adds to.
    """

    spots: list[S]
    columns: list[Sequence[str | None]]

    @classmethod
    def of(cls, spots: list[S], rows: Sequence[Values], width: int) -> "Places[S]":
        """Values that are given row by row."""
        return cls(spots, list(zip(*rows, strict=True)) if rows else [()] * width)

    def values(self) -> list[set[str]]:
        """The distinct values of each dimension."""
        return [{value for value in column if value is not None} for column in self.columns]

    def capped(self, turned_away: Sequence[Collection[str]]) -> "Places[S]":
        """The same with those values of each dimension counted as `other`."""
        columns = [
            [OTHER if value in away else value for value in column] if away else column
            for column, away in zip(self.columns, turned_away, strict=True)
        ]
        return Places(self.spots, columns)


@dataclass(frozen=True)
class Tally:
    """What changed in one cell: `sums` in the order of the kinds that were asked for."""

    slice: str
    place: tuple[Any, ...]
    values: tuple[str, ...]
    sums: list[int]


def tally(
    come: Places[S], left: Places[S], slices: Mapping[str, tuple[int, ...]], kinds: Sequence[Any]
) -> Iterator[Tally]:
    """Each cell in which what comes and what leaves do not cancel out.

    `slices` gives each slice the positions of its dimensions; where one of these is absent, a
    spot counts in no cell of the slice. `kinds` are all that spots name last.
    """
    if come.spots or left.spots:
        batch = _Batch.of(come, left, kinds)
        for name, positions in slices.items():
            yield from batch.cells(name, positions)


@dataclass(frozen=True)
class _Coded:
    """Each item by the number of its name; an absent one is ABSENT."""

    names: list[Any]
    numbers: Ints

    @classmethod
    def of(cls, items: Iterable[Any]) -> Self:
        known: dict[Any, int] = {}
        numbers = [ABSENT if item is None else known.setdefault(item, len(known)) for item in items]
        return cls(list(known), np.array(numbers, np.int64))


@dataclass(frozen=True)
class _Batch:
    """One row a spot: its place, the kind that it adds to, and whether it comes or leaves."""

    places: _Coded
    kinds: Ints
    signs: NDArray[np.float64]  # which hold whole numbers exactly up to 2^53
    dimensions: list[_Coded]
    width: int

    @classmethod
    def of(cls, come: Places[S], left: Places[S], kinds: Sequence[Any]) -> Self:
        spots = _Coded.of([*come.spots, *left.spots])
        places = _Coded.of(spot[:-1] for spot in spots.names)
        number_of = {kind: number for number, kind in enumerate(kinds)}
        named = np.array([number_of[spot[-1]] for spot in spots.names], np.int64)
        columns = zip(come.columns, left.columns, strict=True)
        return cls(
            _Coded(places.names, places.numbers[spots.numbers]),
            named[spots.numbers],
            np.repeat([1.0, -1.0], [len(come.spots), len(left.spots)]),
            [_Coded.of([*one, *other]) for one, other in columns],
            len(kinds),
        )

    def cells(self, name: str, positions: Sequence[int]) -> Iterator[Tally]:
        """The cells of one slice that change."""
        sliced = [self.dimensions[position] for position in positions]
        codes, present = self.places.numbers, np.ones(len(self.kinds), bool)
        for one in sliced:
            codes = codes * len(one.names) + one.numbers
            present &= one.numbers != ABSENT
        cells, at = np.unique(codes[present], return_inverse=True)
        sums = np.bincount(
            at * self.width + self.kinds[present],
            weights=self.signs[present],
            minlength=len(cells) * self.width,
        ).reshape(len(cells), self.width)
        changed = sums.any(axis=1)
        places, *values = self._read(cells[changed], sliced)
        texts = zip(*values, strict=True) if values else [()] * len(places)
        for place, text, row in zip(
            places, texts, sums[changed].astype(np.int64).tolist(), strict=True
        ):
            yield Tally(name, place, text, row)

    def _read(self, codes: Ints, sliced: Sequence[_Coded]) -> list[list[Any]]:
        """What the codes stand for: the place, then the value of each dimension."""
        found = []
        for one in reversed(sliced):
            codes, numbers = np.divmod(codes, max(1, len(one.names)))
            found.append([one.names[number] for number in numbers.tolist()])
        found.append([self.places.names[number] for number in codes.tolist()])
        return found[::-1]
