"""Judge the answers of each minute: Earshot's detector, version 4.

A clocked mixture Shiryaev-Roberts e-detector with a predictive null around a quarantined baseline.
Pure: what it knows is in the `FleetState` and the `Budget` that are passed in or held; time comes
as an argument, in hours of event time since the epoch.
"""

from dataclasses import dataclass, replace

import numpy as np

from services.alerts.domain.budget import LEVELS, Budget
from services.alerts.domain.columns import Flags, Floats, Ints
from services.alerts.domain.evidence import turn_day, weigh
from services.alerts.domain.excursion import settle, walk, walk_rises
from services.alerts.domain.frame import Frame, Minute, build_frame, welcome
from services.alerts.domain.lifecycle import Closed, at_best, begin, best_component, end, watch
from services.alerts.domain.state import FleetState
from services.alerts.domain.terms import FleetTerms, Policy

LOWEST_RATE, HIGHEST_RATE = 0.005, 0.98


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What a minute says of each touched stream, in the order of `index`.

    For a stream with an open alert `onset_h`, `answers`, `detractors` and `rise` are the alert's
    (since it began); else those of the best-fitting alternative's excursion. Counts are raw.
    """

    log_evidence: Floats  # log of the e-value, in hours of budget
    log_threshold: Floats
    fired: Flags  # open an alert: threshold, rise and evidence gates passed, none open
    rise: Floats  # share
    baseline_rate: Floats
    baseline_mass: Floats  # pseudo-answers behind it
    onset_h: Floats
    answers: Floats
    detractors: Floats
    closed: tuple[Closed | None, ...]  # the open alert ended with this minute
    charged: Floats  # hours of alarm budget


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
        """Judge a minute that is still open as `step` would, and remember nothing."""
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
        dispersion = self.terms.dispersion_of(index)
        frame = build_frame(rows, minute, dispersion, self.policy, self.terms)
        turn_day(rows, frame, minute)
        charged = weigh(rows, frame, self.policy)
        walk(rows, frame)
        walk_rises(rows, frame)
        judgement = self._measure(rows, frame, charged, self._thresholds(fleet, minute)[rows.level])
        settle(rows, frame, self.policy.patience)
        if frame.open.any():
            recovered, accepted = watch(rows, frame, self.policy)
            judgement = _with_alerts(judgement, rows, frame.open, recovered, accepted)
            end(rows, recovered, accepted=False)
            end(rows, accepted, accepted=True)
        return rows, judgement

    def _thresholds(self, fleet: FleetState, minute: Minute) -> Floats:
        if self.budget.is_new_day(minute.middle_h):
            return self.budget.divide(minute.middle_h, _streams(fleet), self.policy)
        return self.budget.log_thresholds

    def _measure(
        self, rows: FleetState, frame: Frame, charged: Floats, thresholds: Floats
    ) -> Judgement:
        best = best_component(rows)
        share = at_best(rows.rise_detractors, best) / np.maximum(
            at_best(rows.rise_answers, best), 1e-9
        )
        answers = at_best(rows.rise_raw_answers, best)
        detractors = at_best(rows.rise_raw_detractors, best)
        with np.errstate(divide="ignore"):
            log_evidence = np.log(rows.evidence.mean(axis=0))
        fired = (
            ~frame.open
            & (log_evidence >= thresholds)
            & (share - frame.rate >= self.policy.rise_gate * self.policy.smallest_rise)
            & (answers >= self.policy.evidence_answers)
            & (detractors >= self.policy.evidence_detractors)
        )
        return Judgement(
            log_evidence=log_evidence,
            log_threshold=thresholds,
            fired=fired,
            rise=share - frame.rate,
            baseline_rate=frame.rate,
            baseline_mass=frame.mass,
            onset_h=at_best(rows.rise_since, best),
            answers=answers,
            detractors=detractors,
            closed=(None,) * len(rows),
            charged=charged,
        )

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


def _with_alerts(
    judgement: Judgement, rows: FleetState, is_open: Flags, recovered: Flags, accepted: Flags
) -> Judgement:
    raw = rows.alert_raw_detractors / np.maximum(rows.alert_raw_answers, 1.0)
    ends = zip(recovered.tolist(), accepted.tolist(), strict=True)
    return replace(
        judgement,
        rise=np.where(is_open, raw - rows.frozen_rate, judgement.rise),
        baseline_rate=np.where(is_open, rows.frozen_rate, judgement.baseline_rate),
        onset_h=np.where(is_open, rows.began_at, judgement.onset_h),
        answers=np.where(is_open, rows.alert_raw_answers, judgement.answers),
        detractors=np.where(is_open, rows.alert_raw_detractors, judgement.detractors),
        closed=tuple(
            Closed.RECOVERED if good else Closed.ACCEPTED if old else None for good, old in ends
        ),
    )
