"""Streams of which a maintenance window takes a large part.

What is left of them is another mix of customers. Of a stream with a share p of detractors, leaving
out a part w moves the share by at most w p / (1 - w): with w a twentieth by under the smallest rise
that is looked for by default, whatever p. Beyond that the mix alone might look like a rise.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import msgspec
import numpy as np

from services.alerts.domain.answers import DAY, begin_of, minute_of
from services.alerts.domain.columns import Floats, Ints
from services.alerts.domain.frame import Minute
from services.alerts.domain.leaves import ABSENT, Leaves, Segment
from services.alerts.domain.silences import Silence
from services.alerts.domain.streams import Catalogue, LeafTick, gather, read_leaf
from shared.segments import Lattice, segment_key

LARGE: Final = 0.05
BEFORE: Final = 7 * DAY  # minutes before the window, by which the parts are known
Ends = tuple[float, float]  # hour at which a minute ends, and its length
NO_ROWS: Final[Ints] = np.empty(0, np.intp)


@dataclass
class Mix:
    """A window, and the segments of which it takes a large part."""

    window: Silence
    segments: Collection[str]
    _rows: Ints = field(default_factory=lambda: NO_ROWS)
    _known: int = 0

    def rows(self, catalogue: Catalogue) -> Ints:
        """The rows of those that are watched by now."""
        if self._known != len(catalogue.segments):
            found = (catalogue.row(segment) for segment in self.segments)
            self._rows = np.array(sorted(row for row in found if row is not None), np.intp)
            self._known = len(catalogue.segments)
        return self._rows


def as_heeded(mixes: Iterable[Mix], heeded: Mapping[str, int]) -> list[Mix]:
    """Windows as a line was judged by them: each after a minute, or not at all."""
    found = []
    for mix in mixes:
        if mix.window.id in heeded:
            begins_at = max(mix.window.begins_at, begin_of(heeded[mix.window.id] + 1))
            mix.window = msgspec.structs.replace(mix.window, begins_at=begins_at)
            found.append(mix)
    return found


def usual_time(window: Silence) -> tuple[int, int]:
    """The minutes, inclusive, that say what is usual."""
    first = minute_of(window.begins_at)
    return first - BEFORE, first - 1


def skewed_segments(
    lattice: Lattice, usual: Sequence[LeafTick], segment: Segment
) -> Collection[str]:
    """The keys of which a segment is usually more than a twentieth, those inside it too."""
    answers = np.array([tick.answers for tick in usual], float)
    none = np.zeros(len(usual))
    leaves = Leaves.of([read_leaf(tick.leaf) for tick in usual], answers, none, none)
    taken = np.where(leaves.within(segment), answers, 0.0)
    cuboids = [(), *((name,) for name in lattice.dimensions), *lattice.pairs]
    return frozenset(key for names in cuboids for key in _large(leaves, names, taken))


def _large(leaves: Leaves, names: tuple[str, ...], taken: Floats) -> Iterator[str]:
    """The keys of a cuboid's cells of which what is taken is a large part."""
    if not set(names) <= set(leaves.names):
        return
    places = [leaves.names.index(name) for name in names]
    codes = leaves.codes[:, places]
    there = np.flatnonzero((codes != ABSENT).all(axis=1))
    sizes = [len(leaves.values[place]) for place in places]
    flat = np.zeros(len(there), np.intp)
    for size, column in zip(sizes, codes[there].T, strict=True):
        flat = flat * size + column
    _, first, cell = np.unique(flat, return_index=True, return_inverse=True)
    every = np.bincount(cell, leaves.answers[there])
    large = np.bincount(cell, taken[there]) > LARGE * every
    for leaf in there[first[large]].tolist():
        codes_of = zip(names, places, strict=True)
        yield segment_key({n: leaves.values[j][leaves.codes[leaf, j]] for n, j in codes_of})


def left_out(mixes: Iterable[Mix], catalogue: Catalogue, first: datetime, last: datetime) -> Ints:
    """The rows that are not judged by answers of that time: what is left of them is no sample."""
    span = max(last - first, timedelta(0))
    found = [mix.rows(catalogue) for mix in mixes if mix.window.holds(first, span)]
    return np.unique(np.concatenate(found)) if found else NO_ROWS


def minute_within(
    ticks: Sequence[LeafTick], rows_of: Callable[[str], Ints], left_out: Ints, ends: Ends
) -> tuple[Ints, Minute]:
    """Sum what came into streams, but for rows that are left out, with what it weighs."""
    raw = gather((rows_of(t.leaf), t.answers, t.detractors) for t in ticks)
    index, answers, detractors = without(raw, left_out)
    minute = Minute.of(answers, detractors, *ends)
    if all(tick.weight == 1.0 for tick in ticks):
        return index, minute
    told = gather((rows_of(t.leaf), t.answers * t.weight, t.detractors * t.weight) for t in ticks)
    return index, minute.weighed(*without(told, left_out)[1:])


def without(gathered: tuple[Ints, Floats, Floats], rows: Ints) -> tuple[Ints, Floats, Floats]:
    """Rows with their answers and detractors, but for those that are left out."""
    if not len(rows):
        return gathered
    index, answers, detractors = gathered
    kept = ~np.isin(index, rows)
    return index[kept], answers[kept], detractors[kept]
