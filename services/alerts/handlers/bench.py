"""What the judge works on within one transaction."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from services.alerts.domain.answers import Line
from services.alerts.domain.cases import Docket
from services.alerts.domain.causes import Remark
from services.alerts.domain.detector import Detector
from services.alerts.domain.state import FleetState
from services.alerts.domain.streams import Catalogue, LeafTick


class Past(Protocol):
    """What judging asks of the counted answers of its line. Minutes are inclusive."""

    async def leaves(self, first: int, last: int) -> Sequence[LeafTick]:
        """The leaves, summed over the minutes."""
        ...

    async def remarks(self, segment: str, first: int, last: int, most: int) -> Sequence[Remark]:
        """What detractors of a segment said, newest first."""
        ...


@dataclass
class Bench:
    """The fleet and the docket of one line, with the rows whose state was changed.

    `promise`: false alarms a week over all lines. `now`: the wall clock. `draw_id`: the id of a
    new alert.
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

    def open(self, row: int, now_h: float) -> None:
        """Hold a stream's baseline until its alert ends."""
        self.detector.open(self.fleet, row, now_h)
        self.touched.add(row)

    def close(self, rows: Iterable[int], *, accepted: bool) -> None:
        """Let streams start afresh; what came since is normal if accepted."""
        for row in rows:
            self.detector.close(self.fleet, row, accepted=accepted)
            self.touched.add(row)

    def normal_rate(self, segment: str, otherwise: float) -> float:
        """The share of detractors that is normal in a segment."""
        row = self.catalogue.row(segment)
        if row is None:
            return otherwise
        detractors = float(self.fleet.baseline_detractors[row])
        mass = detractors + float(self.fleet.baseline_others[row])
        return detractors / mass if mass > 0 else otherwise
