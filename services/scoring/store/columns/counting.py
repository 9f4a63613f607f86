"""A question answered from what is held: each entry becomes one number, and numbers are counted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from services.scoring.domain.cells import ANSWERED, INVITED, WIDTH
from services.scoring.domain.questions import Question, Segment
from services.scoring.domain.sheets import Sheet, Tabulation
from services.scoring.store.columns.book import ABSENT, CodeBook
from services.scoring.store.columns.entries import Codes, Entries
from services.scoring.store.columns.held import Held
from services.scoring.store.columns.places import Places, distinct
from services.scoring.store.columns.spans import Ints

_DIRECT = 2_000_000  # cells that are counted as they are; of more, only the segments there are


@dataclass(frozen=True)
class _Wanted:
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


@dataclass(frozen=True)
class _Found:
    """Entries of one kind: the segment, the window and the column of each."""

    segments: Ints
    windows: Ints
    columns: Codes


def count_groups(
    held: Held, question: Question, edges: Sequence[int], only: Sequence[Segment] | None
) -> Sheet:
    """All groups, or only these, in the windows between the edges."""
    table = Tabulation(question, len(edges) - 1)
    book = held.book
    wanted = _read(book, question, edges)
    if wanted is None:
        return table.sheet()
    chosen = None if only is None or not question.by else wanted.numbers(only, book)
    pieces = [*_pieces(held, wanted), (held.more, None)]
    for kind, scale in book.kinds_of(question.metric).items():
        added = [_find(*piece, kind, wanted) for piece in pieces]
        taken = _find(held.less, None, kind, wanted)
        known, sums = _summed(added, taken, wanted, chosen)
        sums[..., INVITED] += sums[..., ANSWERED]  # each of them was sent
        table.add_matrix(scale, wanted.named(known, book), sums)
    return table.sheet()


def _read(book: CodeBook, question: Question, edges: Sequence[int]) -> _Wanted | None:
    """None where no answer can be meant, for a survey or a value that none has."""
    where = [(name, book.values[name].code_of.get(value)) for name, value in question.where]
    survey = None if question.survey is None else book.surveys.get(question.survey, -1)
    if survey == -1 or any(code is None for _, code in where):
        return None
    return _Wanted(
        np.array(edges, np.int64),
        question.on_event,
        survey,
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


def _find(entries: Entries, bounds: Ints | None, kind: int, wanted: _Wanted) -> _Found:
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
    return _Found(segments, windows, entries.column.take(chosen))


def _summed(
    added: Sequence[_Found], taken: _Found, wanted: _Wanted, only: Ints | None
) -> tuple[Ints, Ints]:
    """The segments there are, as numbers that rise, and their sums [window, segment, column]."""
    room = wanted.room
    direct = not wanted.by or wanted.windows * room * WIDTH <= _DIRECT
    known = None if direct else only
    if not direct and known is None:
        known = distinct(np.concatenate([one.segments for one in (*added, taken)]), room)
    places = None if known is None else Places(known, room)
    sums = _counted(added, places, wanted)
    if len(taken.segments):
        sums -= _counted([taken], places, wanted)
    if known is not None:
        return known, sums
    if only is None and wanted.by:
        only = np.flatnonzero(sums.any(axis=(0, 2)))
    return (np.arange(room), sums) if only is None else (only, sums[:, only])


def _counted(found: Sequence[_Found], places: Places | None, wanted: _Wanted) -> Ints:
    size = wanted.room if places is None else places.size
    numbers = np.concatenate([_numbers(one, places, size) for one in found])
    sums: Ints = np.bincount(numbers, minlength=wanted.windows * size * WIDTH)
    return sums.reshape(wanted.windows, size, WIDTH)


def _numbers(found: _Found, places: Places | None, size: int) -> Ints:
    """The cell of each entry."""
    segments, windows, columns = found.segments, found.windows, found.columns
    if places is not None:
        segments = places.of(segments)
        there = np.flatnonzero(segments >= 0)
        segments, windows, columns = segments[there], windows[there], columns[there]
    numbers: Ints = windows * size
    numbers += segments
    numbers *= WIDTH
    numbers += columns
    return numbers
