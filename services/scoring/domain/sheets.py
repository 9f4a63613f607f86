"""All groups of a question in each of its windows, as matrices: thousands are one sum."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from services.scoring.domain.answers import metric_of
from services.scoring.domain.cells import ANSWERED, INVITED, POINTS, WIDTH
from services.scoring.domain.questions import Group, Question, Row, Segment
from shared.programme.metrics import Klass
from shared.tally import Tallies

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Sheet:
    """The sums of every group. Scales stay apart until they are classes.

    `sums`: for each scale's highest point a matrix [window, group, column]; the columns are the
    points of the scale, lowest first, then `INVITED` and `ANSWERED`. A question without `by` has
    one group, the empty segment, also where nobody answered.
    """

    metric: str
    segments: tuple[Segment, ...]
    sums: Mapping[int, Ints]

    def group(self, window: int, place: int) -> Group:
        """One group in one window."""
        return Group(
            self.metric, {s: sums[window, place].tolist() for s, sums in self.sums.items()}
        )

    def n(self, window: int) -> Ints:
        """How many answers each group has."""
        return self._added(sums[window, :, :POINTS].sum(axis=1) for sums in self.sums.values())

    def invited(self, window: int) -> Ints:
        """How many invitations each group was sent."""
        return self._added(sums[window, :, INVITED] for sums in self.sums.values())

    def answered(self, window: int) -> Ints:
        """How many of these invitations were answered, whenever."""
        return self._added(sums[window, :, ANSWERED] for sums in self.sums.values())

    def tallies(self, window: int) -> Tallies:
        """The tally of each group."""
        kinds = self._added(
            (sums[window, :, :POINTS] @ _kinds(self.metric, scale)).T
            for scale, sums in self.sums.items()
        )
        if not self.sums:
            kinds = np.zeros((5, len(self.segments)), np.int64)
        return Tallies(*kinds)

    def tallies_over_time(self, windows: int) -> Tallies:
        """The tally of each group in each of the windows: arrays [window, group]."""
        kinds = np.zeros((5, windows, len(self.segments)), np.int64)
        for scale, sums in self.sums.items():
            kinds += np.moveaxis(sums[..., :POINTS] @ _kinds(self.metric, scale), -1, 0)
        return Tallies(*kinds)

    def distribution(self, window: int, place: int) -> tuple[int, ...] | None:
        """The answers at each point of the one scale that was used, lowest first.

        () where nobody answered; None where several scales were used.
        """
        used = [
            tuple(sums[window, place, : len(metric_of(self.metric, scale).points)].tolist())
            for scale, sums in self.sums.items()
        ]
        used = [counts for counts in used if any(counts)]
        return (used or [()])[0] if len(used) < 2 else None

    def _added(self, parts: Iterable[Ints]) -> Ints:
        return sum(parts, np.zeros(len(self.segments), np.int64))


@lru_cache(maxsize=64)
def _kinds(metric: str, scale: int) -> Ints:
    """What an answer at each point adds to the five fields of a tally."""
    entry = metric_of(metric, scale)
    rows = np.zeros((POINTS, 5), np.int64)
    for place, point in enumerate(entry.points):
        klass = entry.class_of(point)
        rows[place] = (*(klass is one for one in _ORDER), point, point * point)
    return rows


_ORDER = (Klass.PROMOTER, Klass.PASSIVE, Klass.DETRACTOR)


class Tabulation:
    """Gathers what several sources counted of one question into one sheet; parts add up."""

    def __init__(self, question: Question, windows: int) -> None:
        self._metric = question.metric
        self._windows = windows
        self._places: dict[Segment, int] = {} if question.by else {(): 0}
        self._parts: dict[int, list[tuple[Ints | slice, Ints, Ints]]] = {}

    def add_rows(self, rows: Iterable[Row]) -> None:
        """Add rows of (window, segment, scale, sums)."""
        by_scale: dict[int, list[Row]] = {}
        for row in rows:
            by_scale.setdefault(row[2], []).append(row)
        for scale, found in by_scale.items():
            windows = np.array([row[0] for row in found], np.int64)
            sums = np.array([row[3] for row in found], np.int64)
            self._add(scale, windows, [row[1] for row in found], sums)

    def add_matrix(self, scale: int, segments: Sequence[Segment], sums: Ints) -> None:
        """Add a matrix [window, group, column]; each segment stands once."""
        self._add(scale, slice(None), segments, sums)

    def _add(
        self, scale: int, windows: Ints | slice, segments: Sequence[Segment], sums: Ints
    ) -> None:
        known = self._places
        places = np.array([known.setdefault(one, len(known)) for one in segments], np.int64)
        self._parts.setdefault(scale, []).append((windows, places, sums))

    def sheet(self) -> Sheet:
        """All that was added."""
        shape = (self._windows, len(self._places), WIDTH)
        added: dict[int, Ints] = {}
        for scale, parts in self._parts.items():
            added[scale] = np.zeros(shape, np.int64)
            for windows, places, sums in parts:
                if isinstance(windows, slice):
                    added[scale][:, places] += sums
                else:
                    np.add.at(added[scale], (windows, places), sums)
        return Sheet(self._metric, tuple(self._places), added)
