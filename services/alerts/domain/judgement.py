"""What a minute says of each touched stream."""

from dataclasses import dataclass, replace

import numpy as np

from services.alerts.domain.columns import Flags, Floats
from services.alerts.domain.frame import Frame
from services.alerts.domain.lifecycle import Closed, at_best, best_component
from services.alerts.domain.state import FleetState
from services.alerts.domain.terms import Policy


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
    dispersion: Floats  # variance of counts over binomial
    onset_h: Floats
    answers: Floats
    detractors: Floats
    closed: tuple[Closed | None, ...]  # the open alert ended with this minute
    charged: Floats  # hours of alarm budget


def measure(
    rows: FleetState, frame: Frame, charged: Floats, thresholds: Floats, policy: Policy
) -> Judgement:
    """Read off each stream's evidence and excursion, and whether it passes all gates."""
    best = best_component(rows)
    share = at_best(rows.rise_detractors, best) / np.maximum(at_best(rows.rise_answers, best), 1e-9)
    answers = at_best(rows.rise_raw_answers, best)
    detractors = at_best(rows.rise_raw_detractors, best)
    with np.errstate(divide="ignore"):
        log_evidence = np.log(rows.evidence.mean(axis=0))
    fired = (
        ~frame.open
        & (log_evidence >= thresholds)
        & (share - frame.rate >= policy.rise_gate * policy.smallest_rise)
        & (answers >= policy.evidence_answers)
        & (detractors >= policy.evidence_detractors)
    )
    return Judgement(
        log_evidence=log_evidence,
        log_threshold=thresholds,
        fired=fired,
        rise=share - frame.rate,
        baseline_rate=frame.rate,
        baseline_mass=frame.mass,
        dispersion=frame.dispersion,
        onset_h=at_best(rows.rise_since, best),
        answers=answers,
        detractors=detractors,
        closed=(None,) * len(rows),
        charged=charged,
    )


def with_alerts(
    judgement: Judgement, rows: FleetState, is_open: Flags, recovered: Flags, accepted: Flags
) -> Judgement:
    """Say of streams with an open alert what the alert has seen, and which end."""
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
