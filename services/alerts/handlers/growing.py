"""What a minute adds to the alerts that are open."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import msgspec
import numpy as np

from services.alerts.domain.alerts import Alert
from services.alerts.domain.cases import Case
from services.alerts.domain.estimates import severity
from services.alerts.domain.findings import Finding
from services.alerts.domain.leaves import Leaves, Segment
from services.alerts.domain.places import Places
from services.alerts.domain.streams import LeafTick, read_leaf
from services.alerts.handlers.bench import Bench
from services.alerts.handlers.locating import count_again, recount
from shared.segments import segment_key


class Growth:
    """A minute's answers, summed for however many alerts."""

    def __init__(self, bench: Bench, finding: Finding, ticks: Sequence[LeafTick]) -> None:
        self.finding = finding
        self._bench = bench
        self._ticks = ticks

    def sized(self, case: Case) -> Alert:
        """The alert with the numbers that it has after this minute; the rise stands as told."""
        alert, place = case.alert, self.finding.place(case.holds[0])
        if self._is_of_stream(case):
            return alert if place is None else self._of_stream(alert, place)
        answers, detractors = self._sums(alert.segment)
        counts = (alert.n + answers, alert.detractors + detractors)
        normal = alert.detractor_rate.baseline
        return recount(self._bench, alert, counts, normal, self.finding.minute)

    async def refresh(self, case: Case) -> None:
        """Count an alert anew once the minutes that raised it are judged: they grew since."""
        place = self.finding.place(case.holds[0])
        if self._is_of_stream(case) and place is not None:
            alert = self._of_stream(case.alert, place)
        else:
            alert = await count_again(self._bench, case.alert, self.finding.minute)
        looked_n = max(case.looked_n, alert.n)  # it was explained by these minutes
        self._bench.docket.put(replace(case, alert=alert, looked_n=looked_n))

    def _is_of_stream(self, case: Case) -> bool:
        return self._bench.catalogue.segments[case.holds[0]] == segment_key(case.alert.segment)

    def _of_stream(self, alert: Alert, place: int) -> Alert:
        size = msgspec.structs.replace(self.finding.size(place), rise=alert.rise)
        return alert.sized(size, severity(size.hurt_per_hour))

    def _sums(self, segment: Segment) -> tuple[int, int]:
        leaves, places = self._leaves
        inside = places.within(segment)
        return int(leaves.answers[inside].sum()), int(leaves.detractors[inside].sum())

    @cached_property
    def _leaves(self) -> tuple[Leaves, Places]:
        ticks = self._ticks
        leaves = Leaves.of(
            [read_leaf(tick.leaf) for tick in ticks],
            np.array([tick.answers for tick in ticks], float),
            np.array([tick.detractors for tick in ticks], float),
            np.zeros(len(ticks)),
        )
        return leaves, Places.of(leaves)
