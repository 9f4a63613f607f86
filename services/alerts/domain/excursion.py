"""Since when, and by how much: the CUSUM walks (Page 1954) and the quarantine they govern."""

import numpy as np

from services.alerts.domain.columns import Flags, Floats
from services.alerts.domain.frame import Frame
from services.alerts.domain.state import FleetState
from services.alerts.domain.terms import SHIFTS


def log_likelihood_ratios(frame: Frame) -> Floats:
    """Binomial log likelihood ratio of the answers for each alternative, shaped (component, n).

    Odds that are f times those of a share p turn k of n into k log(f) - n log(1 + p (f - 1)).
    """
    against = np.log1p(frame.present * (frame.rises - 1))
    ratios: Floats = frame.detractors * (frame.shift * SHIFTS) - frame.answers * against
    return ratios


def walk(rows: FleetState, frame: Frame, ratios: Floats) -> None:
    """Bring the slowest CUSUM forward and put the answers into quarantine.

    It is not cut at 0 here: `settle` sees that it fell, and resets it.
    """
    idle = rows.walk <= 0
    rows.walk = np.where(frame.warm, rows.walk + ratios[0], 0.0)
    rows.walk_since = np.where(idle & (rows.walk > 0), frame.began_h, rows.walk_since)
    rows.quarantine_detractors += frame.belief * frame.excess
    rows.quarantine_answers += frame.belief * frame.answers
    rows.hour_detractors += frame.excess
    rows.hour_answers += frame.answers
    rows.clock_detractors += frame.counted_detractors
    rows.clock_answers += frame.counted_answers


def walk_rises(rows: FleetState, frame: Frame, ratios: Floats) -> None:
    """Bring each alternative's CUSUM forward, with onset and counts since it last left 0."""
    idle = rows.rise_walk <= 0
    rows.rise_since = np.where(idle, frame.began_h, rows.rise_since)
    for name, more in (
        ("rise_detractors", frame.excess),
        ("rise_answers", frame.answers),
        ("rise_raw_detractors", frame.raw_detractors),
        ("rise_raw_answers", frame.raw_answers),
    ):
        setattr(rows, name, np.where(idle, 0.0, getattr(rows, name)) + more)
    walked = np.maximum(rows.rise_walk + ratios, 0.0)
    rows.rise_walk = np.where(frame.warm, walked, 0.0)


def settle(rows: FleetState, frame: Frame, leak_after: float) -> None:
    """Believe normal what did not become a rise; frozen while an alert is open.

    When the slowest CUSUM is back at 0 (always so in warm-up) the quarantine joins the baseline;
    one older than `leak_after` hours leaks into it with that time constant.
    """
    fallen = (rows.walk <= 0) & ~frame.open
    old = (frame.now_h - rows.walk_since > leak_after) & ~frame.open & ~fallen
    if old.any():
        share = np.where(old, 1 - np.exp(-frame.elapsed / leak_after), 0.0)
        rows.baseline_detractors += share * rows.quarantine_detractors
        rows.baseline_others += share * (rows.quarantine_answers - rows.quarantine_detractors)
        for name in _QUARANTINE:
            setattr(rows, name, getattr(rows, name) * (1 - share))
    release(rows, fallen)


def release(rows: FleetState, which: Flags) -> None:
    """Move the quarantine into the baseline."""
    rows.baseline_detractors += np.where(which, rows.quarantine_detractors, 0.0)
    fine = rows.quarantine_answers - rows.quarantine_detractors
    rows.baseline_others += np.where(which, fine, 0.0)
    drop(rows, which)


def drop(rows: FleetState, which: Flags) -> None:
    """Forget the quarantine and its CUSUM."""
    for name in (*_QUARANTINE, "walk"):
        setattr(rows, name, np.where(which, 0.0, getattr(rows, name)))
    rows.walk_since = np.where(which, np.nan, rows.walk_since)


_QUARANTINE = (
    "quarantine_detractors",
    "quarantine_answers",
    "earlier_detractors",
    "earlier_answers",
    "today_detractors",
    "today_answers",
    "hour_detractors",
    "hour_answers",
)
