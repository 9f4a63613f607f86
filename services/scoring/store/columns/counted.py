"""What was counted of something that never changes, kept for who asks the same again."""

from collections.abc import Hashable
from threading import Lock
from typing import Final

from services.scoring.store.columns.spans import Ints

_EACH: Final = 700  # bytes of the key, the arrays' heads and a place, whatever was counted
_LEAST: Final = 64 * 1024

Cells = tuple[Ints, Ints]  # each cell that was met, and how often


class Counted:
    """By the shape of the question. What was asked longest ago goes first.

    It takes at most so many bytes, or 64 KiB. Questions are answered in threads.
    """

    def __init__(self, at_most: int) -> None:
        self._at_most = max(at_most, _LEAST)
        self._kept: dict[Hashable, Cells] = {}
        self._lock = Lock()
        self.bytes = 0

    def get(self, shape: Hashable) -> Cells | None:
        """What was put for this shape, if it is kept still."""
        with self._lock:
            cells = self._kept.pop(shape, None)
            if cells is not None:
                self._kept[shape] = cells  # the last to go
            return cells

    def put(self, shape: Hashable, cells: Cells) -> None:
        """Keep it, unless it alone is too large."""
        size = _bytes(cells)
        if size > self._at_most:
            return
        with self._lock:
            known = self._kept.pop(shape, None)
            self.bytes += size - (0 if known is None else _bytes(known))
            self._kept[shape] = cells
            while self.bytes > self._at_most:
                self.bytes -= _bytes(self._kept.pop(next(iter(self._kept))))


def _bytes(cells: Cells) -> int:
    return _EACH + sum(each.nbytes for each in cells)
