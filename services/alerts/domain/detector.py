"""Judge the answers of each minute: Earshot's detector, version 4.

A clocked mixture Shiryaev-Roberts e-detector with a predictive null around a quarantined baseline.
Pure: what it knows is in the `FleetState` and the `Budget` that are passed in or held; time comes
as an argument, in hours of event time since the epoch.
"""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from services.alerts.domain.budget import LEVELS, Budget
from services.alerts.domain.clusters import Clusters
from services.alerts.domain.columns import Floats, Ints
from services.alerts.domain.dispersion import Dispersion, note_blocks
from services.alerts.domain.evidence import turn, weigh
from services.alerts.domain.excursion import log_likelihood_ratios, settle, walk, walk_rises
from services.alerts.domain.frame import Minute, build_frame, welcome
from services.alerts.domain.hours import Lessons, turn_hours
from services.alerts.domain.judgement import Judgement, measure, with_alerts
from services.alerts.domain.lifecycle import begin, end, watch
from services.alerts.domain.nightly import Learned
from services.alerts.domain.seasons import Seasons
from services.alerts.domain.state import FleetState
from services.alerts.domain.terms import FleetTerms, Policy
from services.alerts.domain.wobble import Wobble

__all__ = ["Detector", "Judgement"]

LOWEST_RATE, HIGHEST_RATE = 0.005, 0.98


class Detector:
    """Bring streams forward, minute by minute, in the order of event time.

    All rows with answers in a minute come in one call, so that the result depends on nothing but
    the counts per minute. Elapsed time enters in closed form at a stream's next answer.
    """

    def __init__(
        self, policy: Policy, terms: FleetTerms | None = None, budget: Budget | None = None
    ) -> None:
        self.policy = policy
        self.budget = budget or Budget()
        self.learned = Learned.start(terms or FleetTerms())
        self.clusters = Clusters()  # of the day; kept by nobody, found anew in what was counted

    @property
    def terms(self) -> FleetTerms:
        """What is judged by today."""
        return self.learned.terms

    @property
    def dispersion(self) -> Dispersion:
        """The over-dispersion that is judged by today."""
        return self.learned.dispersion

    def to_record(self) -> dict[str, Any]:
        """Give what is remembered beside the streams, as plain values for JSON."""
        return {"budget": self.budget.to_record(), **self.learned.to_record()}

    @classmethod
    def from_record(
        cls, record: Mapping[str, Any], policy: Policy, terms: FleetTerms | None = None
    ) -> Self:
        """Take back what `to_record` gave, with the same `terms` to start from."""
        detector = cls(policy, terms, Budget.from_record(record["budget"]))
        detector.learned = Learned.from_record(record, terms or FleetTerms())
        return detector

    def step(
        self,
        fleet: FleetState,
        index: Ints,
        answers: Floats,
        detractors: Floats,
        now_h: float,
        tick_h: float,
    ) -> Judgement:
        """Judge the minute that ends at `now_h`, and remember it in `fleet` and in the budget.

        `index`: distinct rows with answers, parents included; counts are raw, detractors at most
        answers. Alerts that end are closed in `fleet`; those that fire are not opened: `open` does.
        """
        minute = Minute.of(answers, detractors, now_h, tick_h)
        return self.judge(fleet, index, minute)

    def judge(self, fleet: FleetState, index: Ints, minute: Minute) -> Judgement:
        """Judge as `step` does a minute whose answers may weigh less than they are."""
        if self.budget.is_new_day(minute.middle_h):
            if self.terms.learning:
                self.learned.turn(fleet, minute)
            self.budget.turn(minute.middle_h, _streams(fleet), self.policy)
        turned, whole = self._turn(fleet, index, minute, self.learned.lessons)
        if len(turned):
            fleet.store(index[turned], whole)
        rows, judgement = self._judge(fleet, fleet.hot_rows(index), minute)
        fleet.store(index, rows)
        self.budget.charge(minute.began_h, rows.level, judgement.charged, minute.raw_answers)
        return judgement

    def preview(
        self,
        fleet: FleetState,
        index: Ints,
        answers: Floats,
        detractors: Floats,
        now_h: float,
        tick_h: float,
    ) -> Judgement:
        """Judge a minute that is still open as `step` would, and remember nothing.

        An alarm that it raises stands: after that minute's `step`, `open` its stream even if the
        rest of the minute took it back.
        """
        minute = Minute.of(answers, detractors, now_h, tick_h)
        rows = fleet.hot_rows(index)
        turned, whole = self._turn(fleet, index, minute, Lessons(Wobble(), Seasons()))
        rows.store(turned, whole.hot_rows(np.arange(len(whole))))
        return self._judge(fleet, rows, minute)[1]

    def open(self, fleet: FleetState, row: int, now_h: float) -> None:
        """Open an alert on a stream: its baseline freezes until the alert ends."""
        index = np.array([row])
        rows = fleet.rows(index)
        begin(rows, now_h)
        fleet.store(index, rows)

    def close(self, fleet: FleetState, row: int, *, accepted: bool) -> None:
        """End a stream's alert by a person's word: what came since becomes normal if accepted."""
        index = np.array([row])
        rows = fleet.rows(index)
        end(rows, ~np.isnan(rows.opened_at), accepted=accepted)
        fleet.store(index, rows)

    def _turn(
        self, fleet: FleetState, index: Ints, minute: Minute, lessons: Lessons
    ) -> tuple[Ints, FleetState]:
        """Give copies of the streams whose clock hour turns, and their places in `index`."""
        hour = float(np.floor(minute.middle_h))
        if not self.terms.learning:
            return np.empty(0, np.intp), fleet.rows(np.empty(0, np.intp))
        turned = np.flatnonzero(fleet.clock_hour[index] != hour)
        whole = fleet.rows(index[turned])
        if len(turned):
            turn_hours(whole, minute, self._dispersion(whole), self.terms, lessons)
        return turned, whole

    def _judge(
        self, fleet: FleetState, rows: FleetState, minute: Minute
    ) -> tuple[FleetState, Judgement]:
        if np.isnan(rows.last_at).any():
            welcome(rows, minute, self._parents(fleet, rows.parent))
        dispersion = self._dispersion(rows)
        frame = build_frame(rows, minute, dispersion, self.policy, self.terms)
        note_blocks(rows, minute, frame.elapsed)
        turn(rows, frame, minute)
        charged = weigh(rows, frame, self.policy)
        ratios = log_likelihood_ratios(frame)
        walk(rows, frame, ratios)
        walk_rises(rows, frame, ratios)
        thresholds = self._thresholds(fleet, minute)[rows.level]
        judgement = measure(rows, frame, charged, thresholds, self.policy)
        settle(rows, frame, self.policy.patience)
        if frame.open.any():
            recovered, accepted = watch(rows, frame, self.policy)
            judgement = with_alerts(judgement, rows, frame.open, recovered, accepted)
            end(rows, recovered, accepted=False)
            end(rows, accepted, accepted=True)
        return rows, judgement

    def _dispersion(self, rows: FleetState) -> Floats:
        if self.terms.learning:
            return self.dispersion.of(rows)
        return np.full(len(rows), self.terms.dispersion)

    def _thresholds(self, fleet: FleetState, minute: Minute) -> Floats:
        if self.budget.is_new_day(minute.middle_h):
            return self.budget.divide(minute.middle_h, _streams(fleet), self.policy)
        return self.budget.log_thresholds

    def _parents(self, fleet: FleetState, parent: Ints) -> tuple[Floats, Floats]:
        """Give rate and strength to start at: the parent's baseline, no surer than it is itself."""
        terms = self.terms
        first = (np.full(len(parent), terms.first_rate), np.full(len(parent), terms.first_strength))
        if not len(fleet):
            return first
        detractors = fleet.baseline_detractors[parent]
        mass = detractors + fleet.baseline_others[parent]
        known = (parent >= 0) & (mass > 0)
        rate = np.clip(detractors / np.where(known, mass, 1.0), LOWEST_RATE, HIGHEST_RATE)
        strength = np.minimum(terms.parent_strength, mass)
        return np.where(known, rate, first[0]), np.where(known, strength, first[1])


def _streams(fleet: FleetState) -> Ints:
    return np.bincount(fleet.level[fleet.seen > 0], minlength=LEVELS)
