"""What the judge works on within one transaction."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import numpy as np

from services.alerts.domain.answers import Line
from services.alerts.domain.cases import Docket
from services.alerts.domain.causes import Remark
from services.alerts.domain.detector import Detector
from services.alerts.domain.normal import Marginals
from services.alerts.domain.onset import Bin
from services.alerts.domain.state import FleetState
from services.alerts.domain.streams import Catalogue, LeafTick
from shared.segments import read_segment_key


class Past(Protocol):
    """What judging asks of the counted answers of its line. Minutes are inclusive."""

    async def leaves(self, first: int, last: int) -> Sequence[LeafTick]:
        """The leaves, summed over the minutes."""
        ...

    async def series(self, segment: str, first: int, last: int, width: int) -> Sequence[Bin]:
        """A segment's answers in bins of `width` minutes, the oldest first, empty ones left out."""
        ...

    async def remarks(self, segment: str, first: int, last: int, most: int) -> Sequence[Remark]:
        """What detractors of a segment said, newest first."""
        ...


@dataclass
class Bench:
    """The fleet and the docket of one line, with the rows whose state was changed.

    `promise`: false alarms a week over all lines. `now`: the wall clock. `draw_id`: the id of a
    new alert. `waiting`: rows that crossed in the last minute and found no room for an alert.
    """

    line: Line
    promise: float
    detector: Detector
    fleet: FleetState
    catalogue: Catalogue
    docket: Docket
    past: Past
    now: datetime
    draw_id: Callable[[], str]
    touched: set[int] = field(default_factory=set)
    waiting: set[int] = field(default_factory=set)

    def open(self, row: int, now_h: float) -> None:
        """Hold a stream's baseline until its alert ends."""
        self.detector.open(self.fleet, row, now_h)
        self.touched.add(row)

    def close(self, rows: Iterable[int], *, accepted: bool) -> None:
        """Let streams start afresh; what came since is normal if accepted."""
        for row in rows:
            self.detector.close(self.fleet, row, accepted=accepted)
            self.touched.add(row)

    def wait(self, rows: Iterable[int]) -> None:
        """Remember which streams the next minute judges, whether they have answers or not."""
        self.waiting.clear()
        self.waiting.update(rows)

    def marginals(self) -> Marginals:
        """The shares that are normal for each value of a dimension whose stream has warmed up."""
        warm = (self.fleet.level == 1) & (self.fleet.seen >= self.detector.policy.warm_answers)
        found: dict[tuple[str, str], float] = {}
        for row in np.flatnonzero(warm).tolist():
            key = self.catalogue.segments[row]
            (value,) = read_segment_key(key).items()
            found[value] = self.normal_rate(key, 0.0)
        return found

    @property
    def dispersion(self) -> float:
        """The line's over-dispersion."""
        detector = self.detector
        return detector.dispersion.fleet if detector.terms.learning else detector.terms.dispersion

    def normal_rate(self, segment: str, otherwise: float) -> float:
        """The share of detractors that is normal in a segment."""
        row = self.catalogue.row(segment)
        if row is None:
            return otherwise
        detractors = float(self.fleet.baseline_detractors[row])
        mass = detractors + float(self.fleet.baseline_others[row])
        return detractors / mass if mass > 0 else otherwise
