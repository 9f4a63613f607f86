"""A question answered from what is held: each entry becomes one number, and numbers are counted."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from services.scoring.domain.cells import ANSWERED, INVITED, WIDTH
from services.scoring.domain.questions import Question, Segment
from services.scoring.domain.sheets import Sheet, Tabulation
from services.scoring.store.columns.book import CodeBook
from services.scoring.store.columns.finding import DIRECT, Found, Wanted, find, find_whole
from services.scoring.store.columns.held import Held
from services.scoring.store.columns.places import Places, distinct
from services.scoring.store.columns.spans import Ints

_NONE = np.empty(0, np.int64)
_Piece = Callable[[int, Wanted], Found]  # what there is of a kind


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
    pieces: list[_Piece] = [*_pieces(held, wanted), partial(find, held.more, None)]
    for kind, scale in book.kinds_of(question.metric).items():
        added = [piece(kind, wanted) for piece in pieces]
        taken = find(held.less, None, kind, wanted)
        known, sums = _summed(added, taken, wanted, chosen)
        sums[..., INVITED] += sums[..., ANSWERED]  # each of them was sent
        table.add_matrix(scale, wanted.named(known, book), sums)
    return table.sheet()


def _read(book: CodeBook, question: Question, edges: Sequence[int]) -> Wanted | None:
    """None where no answer can be meant, for a survey or a value that none has."""
    where = [(name, book.values[name].code_of.get(value)) for name, value in question.where]
    survey = None if question.survey is None else book.surveys.get(question.survey, -1)
    if survey == -1 or any(code is None for _, code in where):
        return None
    return Wanted(
        np.array(edges, np.int64),
        question.on_event,
        survey,
        [(book.dimensions.index(name), code) for name, code in where if code is not None],
        [book.dimensions.index(name) for name in question.by],
        [len(book.values[name].names) for name in question.by],
    )


def _pieces(held: Held, wanted: Wanted) -> Iterator[_Piece]:
    """What may be meant of each stretch."""
    for stretch in held.stretches:
        low, high = stretch.span(on_event=wanted.on_event)
        first, after = np.searchsorted(wanted.edges, (low, high), side="right").tolist()
        if after == 0 or first > wanted.windows or low > high:
            continue
        if first > 0 and after <= wanted.windows:
            yield partial(find_whole, stretch, slice(first - 1, after))
        elif wanted.on_event:
            yield partial(find, stretch.entries, None)
        else:
            bounds = np.searchsorted(stretch.entries.time, wanted.edges)
            part = stretch.entries.part(slice(bounds[0], bounds[-1]))
            yield partial(find, part, bounds - bounds[0])


def _summed(
    added: Sequence[Found], taken: Found, wanted: Wanted, only: Ints | None
) -> tuple[Ints, Ints]:
    """The segments there are, as numbers that rise, and their sums [window, segment, column]."""
    room = wanted.room
    direct = not wanted.by or wanted.windows * room * WIDTH <= DIRECT
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


def _counted(found: Sequence[Found], places: Places | None, wanted: Wanted) -> Ints:
    size = wanted.room if places is None else places.size
    numbers = [_numbers(one, places, size) for one in found]
    met = [cells for cells, counts in numbers if counts is None]
    sums: Ints = np.bincount(
        np.concatenate(met or [_NONE]), minlength=wanted.windows * size * WIDTH
    )
    for cells, counts in numbers:
        if counts is not None:
            sums[cells] += counts
    return sums.reshape(wanted.windows, size, WIDTH)


def _numbers(found: Found, places: Places | None, size: int) -> tuple[Ints, Ints | None]:
    """The cell of each, and how often it was met where that is known."""
    segments, windows, columns, counts = found
    if places is not None:
        segments = places.of(segments)
        there = np.flatnonzero(segments >= 0)
        segments, windows, columns = segments[there], windows[there], columns[there]
        counts = None if counts is None else counts[there]
    numbers: Ints = windows * size
    numbers += segments
    numbers *= WIDTH
    numbers += columns
    return numbers, counts
