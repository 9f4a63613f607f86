"""From alarm to all clear: what opens an alert, and what closes it."""

from enum import StrEnum

import numpy as np

from services.alerts.domain.columns import Flags, Floats, Ints
from services.alerts.domain.excursion import drop, release
from services.alerts.domain.frame import Frame
from services.alerts.domain.onset import PRIOR_SHIFT
from services.alerts.domain.state import FleetState
from services.alerts.domain.terms import Policy

PRIOR_INFORMATION = 1 / (
    2 * PRIOR_SHIFT**2
)  # of that exponential's mean square, on the logit scale
KEPT_ANSWERS = 10.0  # what the old normal still weighs beside an accepted one


class Closed(StrEnum):
    """Why an alert ended without a person: the evidence says recovered, or it became normal."""

    RECOVERED = "recovered"
    ACCEPTED = "accepted"


def best_component(rows: FleetState) -> Ints:
    """Tell which alternative fits each stream best."""
    best: Ints = rows.evidence.argmax(axis=0)
    return best


def at_best(values: Floats, best: Ints) -> Floats:
    """Take each stream's value of its best alternative."""
    taken: Floats = values[best, np.arange(values.shape[1])]
    return taken


def begin(rows: FleetState, now_h: float) -> None:
    """Open an alert on each of these streams: the baseline freezes, the onset stands."""
    best = best_component(rows)
    mass = rows.baseline_detractors + rows.baseline_others
    rows.opened_at = now_h
    rows.began_at = at_best(rows.rise_since, best)
    rows.frozen_rate = rows.baseline_detractors / mass
    rows.alert_answers = at_best(rows.rise_answers, best)
    rows.alert_detractors = at_best(rows.rise_detractors, best)
    rows.alert_raw_answers = at_best(rows.rise_raw_answers, best)
    rows.alert_raw_detractors = at_best(rows.rise_raw_detractors, best)
    for name in _RECOVERY:
        setattr(rows, name, 0.0)


def watch(rows: FleetState, frame: Frame, policy: Policy) -> tuple[Flags, Flags]:
    """Bring open alerts forward; tell which recovered and which became the new normal.

    Recovery is a CUSUM of baseline against baseline + 0.7 of the rise, closed at odds of 1,000: at
    most 1 % of rises are cleared too early. What came since that CUSUM last left 0 may be the
    recovery itself: the rise is measured without it, or a short one would hide its own end. As
    an alarm overstates the rise, answers at the old rate are added that tell as much as a normal
    prior on the shift in logits, as wide as that by which rises are told to people.
    """
    is_open = frame.open
    rows.alert_raw_detractors += np.where(is_open, frame.raw_detractors, 0.0)
    rows.alert_raw_answers += np.where(is_open, frame.raw_answers, 0.0)
    frozen = np.where(is_open, rows.frozen_rate, frame.rate)
    prior = PRIOR_INFORMATION / (frozen * (1 - frozen))
    risen = (rows.alert_detractors + prior * frozen) / (rows.alert_answers + prior)
    risen = np.maximum(risen, frozen + policy.smallest_rise)
    risen = np.minimum(frozen + policy.recovery_share * (risen - frozen), 0.995)
    toward = frame.detractors * np.log(frozen / risen)
    toward = toward + (frame.answers - frame.detractors) * np.log((1 - frozen) / (1 - risen))
    rows.recovery = np.where(is_open, np.maximum(rows.recovery + toward, 0.0), 0.0)
    rows.recovery_detractors += np.where(is_open, frame.detractors, 0.0)
    rows.recovery_answers += np.where(is_open, frame.answers, 0.0)
    _learn_rise(rows, is_open & (rows.recovery <= 0))
    recovered = is_open & (rows.recovery >= np.log(policy.recovery))
    accepted = is_open & ~recovered & (frame.now_h - rows.opened_at > policy.patience)
    return recovered, accepted


def _learn_rise(rows: FleetState, which: Flags) -> None:
    """Count as the alert's what turned out not to be a recovery."""
    for what in ("answers", "detractors"):
        alert, later = f"alert_{what}", f"recovery_{what}"
        more = getattr(rows, later)
        setattr(rows, alert, getattr(rows, alert) + np.where(which, more, 0.0))
        setattr(rows, later, np.where(which, 0.0, more))


def end(rows: FleetState, which: Flags, *, accepted: bool) -> None:
    """Close alerts: what was learned since is the new baseline if accepted, else forgotten."""
    if not which.any():
        return
    if accepted:
        kept = np.minimum(1.0, KEPT_ANSWERS / (rows.baseline_detractors + rows.baseline_others))
        rows.baseline_detractors *= np.where(which, kept, 1.0)
        rows.baseline_others *= np.where(which, kept, 1.0)
        release(rows, which)
    else:
        drop(rows, which)
    rows.evidence = np.where(which, 0.0, rows.evidence)
    rows.rise_walk = np.where(which, 0.0, rows.rise_walk)
    rows.opened_at = np.where(which, np.nan, rows.opened_at)


_RECOVERY = ("recovery", "recovery_answers", "recovery_detractors")
