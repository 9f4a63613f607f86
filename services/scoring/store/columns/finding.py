"""What of the entries a question means: each becomes a segment, a window and a column."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import NamedTuple

import numpy as np

from services.scoring.domain.cells import WIDTH
from services.scoring.domain.questions import Segment
from services.scoring.store.columns.book import ABSENT, CodeBook
from services.scoring.store.columns.entries import Codes, Entries, Stretch
from services.scoring.store.columns.spans import Ints

DIRECT = 2_000_000  # cells that are counted as they are; of more, only the segments there are


@dataclass(frozen=True)
class Wanted:
    """The question in codes. `edges` are those of the windows."""

    edges: Ints
    on_event: bool
    survey: int | None
    where: list[tuple[int, int]]  # place of the dimension, code
    by: list[int]
    sizes: list[int]  # codes of each dimension of `by`

    @property
    def windows(self) -> int:
        return len(self.edges) - 1

    @property
    def room(self) -> int:
        """How many segments there could be."""
        return prod(self.sizes)

    def shape(self, kind: int) -> Hashable:
        """What is asked of what lies within these windows: where they begin and end is all one."""
        between = self.edges[1:-1].tobytes()
        groups = tuple(self.by), tuple(self.sizes)
        return kind, self.on_event, self.survey, tuple(self.where), *groups, between

    def numbers(self, segments: Sequence[Segment], book: CodeBook) -> Ints:
        """Segments as numbers that rise; those with a value that no answer has are left out."""
        found = set()
        for segment in segments:
            number = 0
            for place, size, value in zip(self.by, self.sizes, segment, strict=True):
                code = book.values[book.dimensions[place]].code_of.get(value)
                number = -1 if code is None or number < 0 else number * size + code
            found.add(number)
        return np.array(sorted(found - {-1}), np.int64)

    def named(self, numbers: Ints, book: CodeBook) -> list[Segment]:
        """The segments of these numbers."""
        columns: list[list[str]] = []
        for place, size in zip(reversed(self.by), reversed(self.sizes), strict=True):
            numbers, codes = np.divmod(numbers, size)
            names = book.values[book.dimensions[place]].names
            columns.insert(0, [str(names[code]) for code in codes.tolist()])
        return list(zip(*columns, strict=True)) if columns else [()]


class Found(NamedTuple):
    """What counts, by its segment, window and column.

    `counts`: how often, and then no cell stands twice; None: once each, as entries do.
    """

    segments: Ints
    windows: Ints
    columns: Codes | Ints
    counts: Ints | None = None


def find(entries: Entries, bounds: Ints | None, kind: int, wanted: Wanted) -> Found:
    """The entries of one kind. `bounds`: where each window begins among them, if that is known."""
    keep = entries.kind == kind
    if wanted.survey is not None:
        keep &= entries.survey == wanted.survey
    for place, code in wanted.where:
        keep &= entries.values[place] == code
    for place in wanted.by:
        keep &= entries.values[place] != ABSENT
    at = entries.event if wanted.on_event else entries.time
    if bounds is None:
        keep &= (at >= wanted.edges[0]) & (at < wanted.edges[-1])
    chosen = np.flatnonzero(keep)
    if bounds is None:
        windows = np.searchsorted(wanted.edges, at[chosen], side="right") - 1
    else:
        numbers = np.arange(wanted.windows)
        windows = np.repeat(numbers, np.diff(np.searchsorted(chosen, bounds)))
    segments = np.zeros(len(chosen), np.int64)
    for place, size in zip(wanted.by, wanted.sizes, strict=True):
        segments *= size
        segments += entries.values[place].take(chosen)
    return Found(segments, windows, entries.column.take(chosen))


def find_whole(stretch: Stretch, windows: slice, kind: int, wanted: Wanted) -> Found:
    """The same of a stretch that lies within these windows, counted once for all that ask so.

    A stretch never changes, and the same few questions come again and again: of windows that move
    at their ends, and of days and hours, which do not. Of a million answers, with 10,000 segments,
    that leaves a third to a half of the time.
    """
    here = replace(wanted, edges=wanted.edges[windows.start : windows.stop + 1])
    shape = here.shape(kind)
    kept = stretch.counted.get(shape)
    if kept is None:
        entries = stretch.entries
        bounds = None if wanted.on_event else np.searchsorted(entries.time, here.edges)
        kept = _cells(find(entries, bounds, kind, here), here)
        stretch.counted.put(shape, kept)
    cells, counts = kept
    places, columns = np.divmod(cells.astype(np.int64), WIDTH)
    numbers, segments = np.divmod(places, wanted.room)
    return Found(segments, numbers + windows.start, columns, counts)


def _cells(found: Found, here: Wanted) -> tuple[Ints, Ints]:
    """Each cell that was met, rising, and how often."""
    room = here.windows * here.room * WIDTH
    numbers = found.windows * here.room
    numbers += found.segments
    numbers *= WIDTH
    numbers += found.columns
    if room > DIRECT:
        cells, counts = np.unique(numbers, return_counts=True)
    else:
        sums = np.bincount(numbers, minlength=1)
        cells = np.flatnonzero(sums)
        counts = sums[cells]
    narrow = np.int32 if room < 2**31 else np.int64
    return cells.astype(narrow), counts.astype(np.int32)
