"""Where a segment's number stands among those that there are."""

import numpy as np
from numpy.typing import NDArray

from services.scoring.store.columns.spans import Ints

_LISTED = 8_000_000  # segments that there could be, each with a place in a list


def distinct(segments: Ints, room: int) -> Ints:
    """The distinct ones, rising."""
    if room > _LISTED:
        return np.unique(segments)
    flags = np.zeros(room, bool)
    flags[segments] = True
    return np.flatnonzero(flags)


class Places:
    """Where each known segment stands, from 0 on."""

    def __init__(self, known: Ints, room: int) -> None:
        self.size = len(known)
        self._known = known
        self._list: NDArray[np.int32] | None = None
        if room <= _LISTED:
            self._list = np.full(room, -1, np.int32)
            self._list[known] = np.arange(self.size)

    def of(self, segments: Ints) -> Ints:
        """The place of each, -1 for those that are not known."""
        if self._list is not None:
            return self._list.take(segments).astype(np.int64)
        if not self.size:
            return np.full(len(segments), -1, np.int64)
        places = np.minimum(np.searchsorted(self._known, segments), self.size - 1)
        return np.where(self._known[places] == segments, places, -1)
