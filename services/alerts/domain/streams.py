"""Which streams of a line are watched: {} (all), each dimension's values, each configured pair's.

A stream's row in the line's fleet is its place here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from services.alerts.domain.columns import Floats, Ints
from services.alerts.domain.state import NO_PARENT, FleetState
from shared.segments import Lattice, cells, read_segment_key, segment_key

VALUES_AT_MOST: Final = 10_000
LEAVES_KEPT: Final = 100_000  # leaves may be as many as answers; their rows are found anew
OTHER: Final = "other"
ALL: Final = "{}"


class LeafTick(NamedTuple):
    """The answers of one leaf in some time, by cluster if any; each weighs `weight` as evidence."""

    leaf: str
    answers: int
    detractors: int
    cluster: str = ""
    weight: float = 1.0


@dataclass
class Catalogue:
    """Segment keys by row. Values beyond 10,000 of a dimension are watched together as `other`."""

    lattice: Lattice
    segments: list[str] = field(default_factory=list)
    values_at_most: int = VALUES_AT_MOST
    leaves_kept: int = LEAVES_KEPT

    def __post_init__(self) -> None:
        self._rows = {segment: row for row, segment in enumerate(self.segments)}
        self._of_leaf: dict[str, Ints] = {}
        self._values: dict[str, set[str]] = {}
        self._keys: dict[tuple[tuple[str, str], ...], str] = {}  # as many as streams
        for segment in self.segments:
            self._note_values(segment)

    def row(self, segment: str) -> int | None:
        return self._rows.get(segment)

    def rows_of(self, leaf: str, fleet: FleetState) -> Ints:
        """The rows in which a leaf's answers count; what is new joins the catalogue and `fleet`."""
        known = self._of_leaf.get(leaf)
        if known is None:
            rows = [self._admit(key, parent, fleet) for key, parent in self._streams_of(leaf)]
            known = self._keep(leaf, rows)
        return known

    def known_rows_of(self, leaf: str) -> Ints:
        """The rows of a leaf that exist already."""
        known = self._of_leaf.get(leaf)
        if known is not None:
            return known
        named = [self._rows.get(key) for key, _ in self._streams_of(leaf)]
        rows = [row for row in named if row is not None]
        return self._keep(leaf, rows) if len(rows) == len(named) else np.array(rows, np.intp)

    def _keep(self, leaf: str, rows: Sequence[int]) -> Ints:
        if len(self._of_leaf) >= self.leaves_kept:
            self._of_leaf.clear()
        kept = self._of_leaf[leaf] = np.array(rows, np.intp)
        return kept

    def full_dimensions(self) -> list[str]:
        """Dimensions that have no room for a further value."""
        return sorted(n for n, v in self._values.items() if len(v) >= self.values_at_most)

    def _streams_of(self, leaf: str) -> list[tuple[str, str | None]]:
        """Each stream with its parent: {} of a value, the first dimension's value of a pair."""
        segments = {name: self._capped(name, v) for name, v in read_segment_key(leaf).items()}
        first_of = {frozenset(pair): pair[0] for pair in self.lattice.pairs}
        named: list[tuple[str, str | None]] = []
        for cell in cells(segments, self.lattice.dimensions, self.lattice.pairs):
            parent = ALL if len(cell) == 1 else None
            if len(cell) == 2:
                first = first_of[frozenset(cell)]
                parent = self._key({first: cell[first]})
            named.append((self._key(cell), parent))
        return named

    def _key(self, cell: dict[str, str]) -> str:
        """The key of a stream; writing it anew for every leaf would take most of the time."""
        items = tuple(cell.items())
        known = self._keys.get(items)
        if known is None:
            known = self._keys[items] = segment_key(cell)
        return known

    def _admit(self, segment: str, parent: str | None, fleet: FleetState) -> int:
        row = self._rows.get(segment)
        if row is None:
            level = len(read_segment_key(segment))
            above = NO_PARENT if parent is None else self._rows[parent]
            (row,) = fleet.extend(1, level=[level], parent=[above]).tolist()
            self._rows[segment] = row
            self.segments.append(segment)
            self._note_values(segment)
        return row

    def _note_values(self, segment: str) -> None:
        for name, value in read_segment_key(segment).items():
            self._values.setdefault(name, set()).add(value)

    def _capped(self, name: str, value: str) -> str:
        values = self._values.get(name, ())
        return value if value in values or len(values) < self.values_at_most else OTHER


def gather(ticks: Iterable[tuple[Ints, float, float]]) -> tuple[Ints, Floats, Floats]:
    """Sum leaves into streams: distinct rows with answers, their answers and detractors."""
    parts: list[Ints] = []
    counts: list[tuple[float, float]] = []
    for rows, *count in ticks:
        parts.append(rows)
        counts.append((count[0], count[1]))
    if not parts:
        return np.empty(0, np.intp), np.empty(0), np.empty(0)
    sizes = [len(rows) for rows in parts]
    places = np.concatenate(parts)
    weights = np.repeat(np.array(counts, float), sizes, axis=0)
    size = int(places.max(initial=-1)) + 1
    index: Ints = np.flatnonzero(np.bincount(places, minlength=size))
    totals: Floats = np.array([np.bincount(places, counted, size) for counted in weights.T])
    return index, totals[0, index], totals[1, index]


@lru_cache(maxsize=LEAVES_KEPT)
def read_leaf(leaf: str) -> Mapping[str, str]:
    """The segment of a leaf's key, kept for the next who asks."""
    return MappingProxyType(read_segment_key(leaf))


def within(leaf: str, segment: Mapping[str, str]) -> bool:
    """Whether a leaf lies in a segment."""
    return segment.items() <= read_leaf(leaf).items()


def sum_within(ticks: Sequence[LeafTick], segment: Mapping[str, str]) -> tuple[int, int]:
    """Answers and detractors of a segment."""
    inside = [tick for tick in ticks if within(tick.leaf, segment)]
    return sum(t.answers for t in inside), sum(t.detractors for t in inside)
