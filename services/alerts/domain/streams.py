"""Which streams are watched: {} (all), each dimension's values, each configured pair's.

One set for each metric and survey; answers without a survey are a survey of their own, named by an
empty text. A stream's row in the fleet is its place here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from services.alerts.domain.columns import Floats, Ints
from services.alerts.domain.state import NO_PARENT, FleetState
from shared.segments import Lattice, cells, read_segment_key, segment_key

VALUES_AT_MOST: Final = 10_000
OTHER: Final = "other"
ALL: Final = "{}"


class Line(NamedTuple):
    """One metric of one survey: streams of different lines have nothing to do with each other."""

    metric: str
    survey: str


class Stream(NamedTuple):
    """One group of customers that is watched."""

    line: Line
    segment: str  # key, as `shared.segments` writes it


class LeafTick(NamedTuple):
    """The answers of one leaf in some time."""

    line: Line
    leaf: str
    answers: int
    detractors: int


@dataclass
class Catalogue:
    """Streams by row. Values beyond 10,000 of a dimension are watched together as `other`."""

    lattice: Lattice
    streams: list[Stream] = field(default_factory=list)
    values_at_most: int = VALUES_AT_MOST

    def __post_init__(self) -> None:
        self._rows = {stream: row for row, stream in enumerate(self.streams)}
        self._of_leaf: dict[tuple[Line, str], Ints] = {}
        self._values: dict[str, set[str]] = {}
        for stream in self.streams:
            for name, value in read_segment_key(stream.segment).items():
                self._values.setdefault(name, set()).add(value)

    def row(self, stream: Stream) -> int | None:
        return self._rows.get(stream)

    def rows_of(self, line: Line, leaf: str, fleet: FleetState) -> Ints:
        """The rows in which a leaf's answers count; what is new joins the catalogue and `fleet`."""
        known = self._of_leaf.get((line, leaf))
        if known is None:
            named = self._streams_of(line, leaf)
            rows = [self._admit(stream, parent, fleet) for stream, parent in named]
            known = self._of_leaf[line, leaf] = np.array(rows, np.intp)
        return known

    def known_rows_of(self, line: Line, leaf: str) -> Ints:
        """The rows of a leaf that exist already."""
        known = self._of_leaf.get((line, leaf))
        if known is not None:
            return known
        named = (self._rows.get(stream) for stream, _ in self._streams_of(line, leaf))
        return np.array([row for row in named if row is not None], np.intp)

    def full_dimensions(self) -> list[str]:
        """Dimensions that have no room for a further value."""
        return sorted(n for n, v in self._values.items() if len(v) >= self.values_at_most)

    def _streams_of(self, line: Line, leaf: str) -> list[tuple[Stream, Stream | None]]:
        """Each stream with its parent: {} of a value, the first dimension's value of a pair."""
        segments = {name: self._capped(name, v) for name, v in read_segment_key(leaf).items()}
        named: list[tuple[Stream, Stream | None]] = []
        top = Stream(line, ALL)
        first_of = {frozenset(pair): pair[0] for pair in self.lattice.pairs}
        for cell in cells(segments, self.lattice.dimensions, self.lattice.pairs):
            parent = top if len(cell) == 1 else None
            if len(cell) == 2:
                first = first_of[frozenset(cell)]
                parent = Stream(line, segment_key({first: cell[first]}))
            named.append((Stream(line, segment_key(cell)), parent))
        return named

    def _admit(self, stream: Stream, parent: Stream | None, fleet: FleetState) -> int:
        row = self._rows.get(stream)
        if row is None:
            segment = read_segment_key(stream.segment)
            above = NO_PARENT if parent is None else self._rows[parent]
            (row,) = fleet.extend(1, level=[len(segment)], parent=[above]).tolist()
            self._rows[stream] = row
            self.streams.append(stream)
            for name, value in segment.items():
                self._values.setdefault(name, set()).add(value)
        return row

    def _capped(self, name: str, value: str) -> str:
        values = self._values.get(name, ())
        return value if value in values or len(values) < self.values_at_most else OTHER


def gather(ticks: Iterable[tuple[Ints, int, int]]) -> tuple[Ints, Floats, Floats]:
    """Sum leaves into streams: distinct rows with answers, their answers and detractors."""
    parts: list[Ints] = []
    counts: list[tuple[int, int]] = []
    for rows, *count in ticks:
        parts.append(rows)
        counts.append((count[0], count[1]))
    if not parts:
        return np.empty(0, np.intp), np.empty(0), np.empty(0)
    sizes = [len(rows) for rows in parts]
    index, places = np.unique(np.concatenate(parts), return_inverse=True)
    weights = np.repeat(np.array(counts, float), sizes, axis=0)
    totals = np.zeros((len(index), 2))
    np.add.at(totals, places, weights)
    return index, totals[:, 0], totals[:, 1]


def within(leaf: str, segment: dict[str, str]) -> bool:
    """Whether a leaf lies in a segment."""
    values = read_segment_key(leaf)
    return all(values.get(name) == value for name, value in segment.items())


def sum_within(ticks: Sequence[LeafTick], segment: dict[str, str]) -> tuple[int, int]:
    """Answers and detractors of a segment."""
    inside = [tick for tick in ticks if within(tick.leaf, segment)]
    return sum(t.answers for t in inside), sum(t.detractors for t in inside)
