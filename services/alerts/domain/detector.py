"""Judge the answers of each minute: Earshot's detector, version 4.

A clocked mixture Shiryaev-Roberts e-detector with a predictive null around a quarantined baseline.
Pure: what it knows is in the `FleetState` and the `Budget` that are passed in or held; time comes
as an argument, in hours of event time since the epoch.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Self

import numpy as np

from services.alerts.domain.budget import LEVELS, Budget
from services.alerts.domain.columns import Floats, Ints
from services.alerts.domain.dispersion import Dispersion, learn_fleet, note_blocks
from services.alerts.domain.evidence import turn_day, weigh
from services.alerts.domain.excursion import settle, walk, walk_rises
from services.alerts.domain.frame import Minute, build_frame, welcome
from services.alerts.domain.judgement import Judgement, measure, with_alerts
from services.alerts.domain.lifecycle import begin, end, watch
from services.alerts.domain.state import FleetState
from services.alerts.domain.terms import FleetTerms, Policy

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
        self.terms = terms or FleetTerms()
        self.budget = budget or Budget()
        self.dispersion = Dispersion(fleet=self.terms.dispersion)

    def to_record(self) -> dict[str, Any]:
        """Give what is remembered beside the streams, as plain values for JSON."""
        return {"budget": self.budget.to_record(), "dispersion": asdict(self.dispersion)}

    @classmethod
    def from_record(
        cls, record: Mapping[str, Any], policy: Policy, terms: FleetTerms | None = None
    ) -> Self:
        """Take back what `to_record` gave."""
        detector = cls(policy, terms, Budget.from_record(record["budget"]))
        detector.dispersion = Dispersion(**record["dispersion"])
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
        minute = Minute(answers=answers, detractors=detractors, now_h=now_h, tick_h=tick_h)
        if self.budget.is_new_day(minute.middle_h):
            self._learn(fleet, minute)
            self.budget.turn(minute.middle_h, _streams(fleet), self.policy)
        rows, judgement = self._judge(fleet, index, minute)
        fleet.store(index, rows)
        self.budget.charge(minute.began_h, rows.level, judgement.charged, answers)
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
        minute = Minute(answers=answers, detractors=detractors, now_h=now_h, tick_h=tick_h)
        return self._judge(fleet, index, minute)[1]

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

    def _judge(
        self, fleet: FleetState, index: Ints, minute: Minute
    ) -> tuple[FleetState, Judgement]:
        rows = fleet.rows(index)
        if np.isnan(rows.last_at).any():
            welcome(rows, minute, self._parents(fleet, rows.parent))
        dispersion = self._dispersion(rows)
        frame = build_frame(rows, minute, dispersion, self.policy, self.terms)
        note_blocks(rows, minute, frame.elapsed)
        turn_day(rows, frame, minute)
        charged = weigh(rows, frame, self.policy)
        walk(rows, frame)
        walk_rises(rows, frame)
        thresholds = self._thresholds(fleet, minute)[rows.level]
        judgement = measure(rows, frame, charged, thresholds, self.policy)
        settle(rows, frame, self.policy.patience)
        if frame.open.any():
            recovered, accepted = watch(rows, frame, self.policy)
            judgement = with_alerts(judgement, rows, frame.open, recovered, accepted)
            end(rows, recovered, accepted=False)
            end(rows, accepted, accepted=True)
        return rows, judgement

    def _learn(self, fleet: FleetState, minute: Minute) -> None:
        if self.terms.learning:
            self.dispersion = learn_fleet(fleet, minute.began_h, self.terms)

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
