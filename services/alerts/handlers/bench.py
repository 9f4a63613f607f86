"""What the judge works on within one transaction."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from services.alerts.domain.cases import Docket
from services.alerts.domain.causes import Remark
from services.alerts.domain.detector import Detector
from services.alerts.domain.state import FleetState
from services.alerts.domain.streams import Catalogue, LeafTick, Line, Stream


class Past(Protocol):
    """What judging asks of the counted answers. Minutes are inclusive."""

    async def leaves(self, line: Line, first: int, last: int) -> Sequence[LeafTick]:
        """The leaves of a line, summed over the minutes."""
        ...

    async def remarks(self, stream: Stream, first: int, last: int, most: int) -> Sequence[Remark]:
        """What detractors of a stream said, newest first."""
        ...


@dataclass
class Bench:
    """The fleet and the docket, with the rows whose state was changed.

    `now` is the wall clock; `draw_id` gives a new alert its id.
    """

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

    def normal_rate(self, stream: Stream, otherwise: float) -> float:
        """The share of detractors that is normal in a stream."""
        row = self.catalogue.row(stream)
        if row is None:
            return otherwise
        detractors = float(self.fleet.baseline_detractors[row])
        mass = detractors + float(self.fleet.baseline_others[row])
        return detractors / mass if mass > 0 else otherwise
