"""The numbers of a fleet in two matrices, quantity by stream: doubles, and singles of the rest."""

from dataclasses import dataclass
from itertools import chain
from typing import Self, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from services.alerts.domain.columns import Floats, Ints

Singles: TypeAlias = NDArray[np.float32]
Numbers = TypeVar("Numbers", Floats, Singles)


@dataclass
class Held:
    """Columns that every minute needs, then those that are seldom needed; there may be none."""

    often: Floats
    seldom: Singles

    @classmethod
    def of(cls, often: Floats) -> Self:
        """Columns that are all doubles."""
        return cls(often, np.empty((0, often.shape[1]), np.float32))

    @property
    def room(self) -> int:
        """Streams for which there is room."""
        return int(self.often.shape[1])

    def take(self, index: Ints) -> Floats:
        """Copy the streams at `index`."""
        often = _take(self.often, index)
        return np.concatenate([often, _take(self.seldom, index)]) if len(self.seldom) else often

    def take_often(self, index: Ints, most: int) -> Floats:
        """Copy the first columns of the streams at `index`, so many at most."""
        return _take(self.often[:most], index)

    def put(self, index: Ints, values: Floats) -> None:
        """Put changed copies back; there may be fewer columns than are held."""
        for column, changed in zip(chain(self.often, self.seldom), values, strict=False):
            column[index] = changed  # column by column: a third of the time of all at once

    def start(self, index: slice, values: Floats) -> None:
        """Let all streams of a range begin with the same numbers, one a column."""
        self.often[:, index] = values[: len(self.often), None]
        self.seldom[:, index] = values[len(self.often) :, None]

    def copy(self, streams: int, room: int) -> Self:
        """Copy the first streams; what happens to the copy does not touch this."""
        return type(self)(_copy(self.often, streams, room), _copy(self.seldom, streams, room))


def _take(values: Numbers, index: Ints) -> Numbers:
    # a take from a view of some streams copies all of it first; with bounds checked it takes twice
    return values.take(index, axis=1, mode="clip")


def _copy(values: Numbers, streams: int, room: int) -> Numbers:
    copied = np.empty((len(values), room), values.dtype)
    copied[:, :streams] = values[:, :streams]
    return copied
