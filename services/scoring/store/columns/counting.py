"""A question answered from what is held: codes become one number an entry, which is counted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from services.scoring.domain.cells import ANSWERED, INVITED, WIDTH
from services.scoring.domain.questions import Question, Segment
from services.scoring.domain.sheets import Sheet, Tabulation
from services.scoring.store.columns.book import ABSENT, CodeBook
from services.scoring.store.columns.entries import Entries
from services.scoring.store.columns.held import Held
from services.scoring.store.columns.spans import Ints

_DENSE = 4_000_000  # pairs of values for which one flag each is kept
Found = tuple[Ints, Ints]  # of each entry its segment and its cell: window, scale, column


@dataclass(frozen=True)
class _Wanted:
    """The question in codes. `edges` are those of the windows."""

    edges: Ints
    on_event: bool
    scales: list[int]
    scale_of: NDArray[np.int8]  # by the code of a line; -1: not asked for
    where: list[tuple[int, int]]  # place of the dimension, code
    by: list[int]
    sizes: list[int]  # codes of each dimension of `by`

    @property
    def room(self) -> int:
        """How many segments there could be."""
        return prod(self.sizes)

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


def count_groups(
    held: Held, question: Question, edges: Sequence[int], only: Sequence[Segment] | None
) -> Sheet:
    """All groups, or only these, in the windows between the edges."""
    table = Tabulation(question, len(edges) - 1)
    wanted = _read(held.book, question, edges)
    if wanted is None:
        return table.sheet()
    added = [_find(*piece, wanted) for piece in _pieces(held, wanted)]
    added.append(_find(held.more, None, wanted))
    taken = _find(held.less, None, wanted)
    segments, cells = (np.concatenate(parts) for parts in zip(*added, taken, strict=True))
    known = _known(segments, wanted, only if question.by else None, held.book)
    sums = _summed(_places(segments, known, wanted), cells, len(taken[0]), (len(known), wanted))
    named = wanted.named(known, held.book)
    for place, scale in enumerate(wanted.scales):
        table.add_matrix(scale, named, sums[:, :, place].transpose(1, 0, 2))
    return table.sheet()


def _read(book: CodeBook, question: Question, edges: Sequence[int]) -> _Wanted | None:
    """None where no answer can be meant, for a line or a value that none has."""
    lines = book.lines_of(question.metric, question.survey)
    where = [(name, book.values[name].code_of.get(value)) for name, value in question.where]
    if not lines or any(code is None for _, code in where):
        return None
    scales = sorted({scale for _, scale in lines})
    scale_of = np.full(len(book.lines.names), -1, np.int8)
    for code, scale in lines:
        scale_of[code] = scales.index(scale)
    return _Wanted(
        np.array(edges, np.int64),
        question.on_event,
        scales,
        scale_of,
        [(book.dimensions.index(name), code) for name, code in where if code is not None],
        [book.dimensions.index(name) for name in question.by],
        [len(book.values[name].names) for name in question.by],
    )


def _pieces(held: Held, wanted: _Wanted) -> Iterator[tuple[Entries, Ints | None]]:
    """What may be meant of each stretch, and where each window begins in it if that is known."""
    start, end = int(wanted.edges[0]), int(wanted.edges[-1])
    for stretch in held.stretches:
        if wanted.on_event:
            yield stretch.entries, None
        elif stretch.start < end and stretch.end > start:
            part = stretch.entries.part(stretch.within(start, end))
            yield part, np.searchsorted(part.time, wanted.edges)


def _find(entries: Entries, bounds: Ints | None, wanted: _Wanted) -> Found:
    scale = wanted.scale_of[entries.line]
    keep = scale >= 0
    for place, code in wanted.where:
        keep &= entries.values[place] == code
    for place in wanted.by:
        keep &= entries.values[place] != ABSENT
    windows = len(wanted.edges) - 1
    if bounds is None:
        at = entries.event if wanted.on_event else entries.time
        number = np.searchsorted(wanted.edges, at, side="right") - 1
        keep &= (number >= 0) & (number < windows)
    chosen = np.flatnonzero(keep)
    if bounds is None:
        number = number[chosen]
    else:
        number = np.repeat(np.arange(windows), np.diff(np.searchsorted(chosen, bounds)))
    cells = (number * len(wanted.scales) + scale[chosen]) * WIDTH + entries.column[chosen]
    segments = np.zeros(len(chosen), np.int64)
    for place, size in zip(wanted.by, wanted.sizes, strict=True):
        segments *= size
        segments += entries.values[place][chosen]
    return segments, cells


def _known(segments: Ints, wanted: _Wanted, only: Sequence[Segment] | None, book: CodeBook) -> Ints:
    """The segments to be told, as numbers that rise."""
    if only is not None:
        return wanted.numbers(only, book)
    if not wanted.by:
        return np.zeros(1, np.int64)
    if wanted.room > _DENSE:
        return np.unique(segments)
    there = np.zeros(wanted.room, bool)
    there[segments] = True
    return np.flatnonzero(there)


def _places(segments: Ints, known: Ints, wanted: _Wanted) -> Ints:
    """Where each segment stands among those known; -1 where it does not."""
    if wanted.room <= _DENSE:
        place_of = np.full(wanted.room, -1, np.int64)
        place_of[known] = np.arange(len(known))
        return place_of[segments]
    if not len(known):
        return np.full(len(segments), -1, np.int64)
    places = np.minimum(np.searchsorted(known, segments), len(known) - 1)
    return np.where(known[places] == segments, places, -1)


def _summed(places: Ints, cells: Ints, taken: int, shape: tuple[int, _Wanted]) -> Ints:
    """The sums [segment, window, scale, column]; the last `taken` entries are taken away."""
    size, wanted = shape
    each = (len(wanted.edges) - 1) * len(wanted.scales) * WIDTH
    numbers = places * each + cells
    least = size * each
    border = len(numbers) - taken
    parts = [part[part >= 0] if size else part[:0] for part in (numbers[:border], numbers[border:])]
    sums = np.bincount(parts[0], minlength=least) - np.bincount(parts[1], minlength=least)
    sums = sums.reshape(size, len(wanted.edges) - 1, len(wanted.scales), WIDTH)
    sums[..., INVITED] += sums[..., ANSWERED]  # each of them was sent
    return sums
