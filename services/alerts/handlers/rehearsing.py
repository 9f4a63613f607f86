"""Rehearsing: past minutes are judged again by a fresh fleet, and nobody is told."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from typing import NamedTuple

from services.alerts.domain.alerts import Alert, State
from services.alerts.domain.answers import Line, begin_of, minute_of
from services.alerts.domain.cases import Docket
from services.alerts.domain.clusters import Clusters
from services.alerts.domain.columns import Ints
from services.alerts.domain.detector import Detector
from services.alerts.domain.mixes import NO_ROWS
from services.alerts.domain.silences import Silence
from services.alerts.domain.state import FleetState
from services.alerts.domain.streams import Catalogue, LeafTick
from services.alerts.domain.terms import Policy
from services.alerts.handlers.bench import Bench, Past
from services.alerts.handlers.judging import judge_minute, settle_by_hand
from shared.segments import Lattice


class Closing(NamedTuple):
    """A person closed the alert of a stream when the line's time had come that far."""

    at: datetime
    segment: dict[str, str]
    state: State


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a rehearsal is judged by. `policy_at`: the line's part of the promise, by minute."""

    promise: float
    policy_at: Callable[[int], Policy]
    lattice: Lattice
    closings: Sequence[Closing] = ()


@dataclass
class Rehearsal:
    """One line judged again from nothing, minute by minute, by what judges it in earnest.

    The same ticks in the same minutes give the same alerts, but for those that an open minute
    raised: only whole minutes are rehearsed. `alerts`: as they are now, in the order of opening.
    `clusters`: what the first day had brought before it. `windows`: of
    maintenance, that were heeded.
    """

    line: Line
    setup: Setup
    past: Past
    clusters: Clusters = field(default_factory=Clusters)
    alerts: dict[str, Alert] = field(default_factory=dict)
    answers: int = 0
    windows: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._closings = list(self.setup.closings)
        numbers = count(1)
        self._bench = Bench(
            line=self.line,
            promise=self.setup.promise,
            detector=Detector(self.setup.policy_at(0)),
            fleet=FleetState.empty(),
            catalogue=Catalogue(self.setup.lattice),
            docket=Docket(),
            past=self.past,
            now=datetime.fromtimestamp(0, UTC),
            draw_id=lambda: f"again-{next(numbers):06}",
        )
        self._bench.detector.clusters = self.clusters

    @property
    def streams(self) -> int:
        """How many streams were watched."""
        return len(self._bench.fleet)

    @property
    def catalogue(self) -> Catalogue:
        return self._bench.catalogue

    def heed(self, windows: Iterable[Silence]) -> None:
        """Note maintenance windows that last while what comes next is judged."""
        self.windows.update(window.id for window in windows)

    async def judge(self, minute: int, ticks: Sequence[LeafTick], left_out: Ints = NO_ROWS) -> None:
        """Judge the next minute, but for the rows that are `left_out`; minutes come in order."""
        bench = self._bench
        self._close_by_hand(minute - 1)
        bench.now = begin_of(minute + 1)
        bench.detector.policy = self.setup.policy_at(minute)
        await judge_minute(bench, minute, ticks, left_out)
        self._close_by_hand(minute)
        self.answers += sum(tick.answers for tick in ticks)
        self._note(case.alert for case in bench.docket.written())
        bench.touched.clear()
        bench.docket = replace(bench.docket, touched=set(), changes=[], over={})

    def _note(self, alerts: Iterable[Alert]) -> None:
        self.alerts.update((alert.id, alert) for alert in alerts)

    def _close_by_hand(self, judged_to: int) -> None:
        """Close what a person did, once the minute in which that was said is judged."""
        for closing in [one for one in self._closings if minute_of(one.at) <= judged_to]:
            self._closings.remove(closing)
            self._close(closing)
        settle_by_hand(self._bench, judged_to)

    def _close(self, closing: Closing) -> None:
        docket = self._bench.docket
        named = [c for c in docket.cases.values() if c.alert.raised_segment == closing.segment]
        for case in named:
            ended = replace(case, alert=case.alert.end(closing.state, closing.at, self._bench.now))
            docket.cases.pop(case.alert.id)
            docket.ended_by_hand[ended.alert.id] = ended
            self._note([ended.alert])
