"""Streams that crossed and wait: for room among the alerts of a minute, with all their evidence."""

from collections.abc import Collection

import numpy as np

from services.alerts.domain.columns import Floats, Ints
from services.alerts.domain.detector import Detector
from services.alerts.domain.frame import Minute
from services.alerts.domain.state import FleetState


def rows_above(detector: Detector, fleet: FleetState) -> list[int]:
    """The streams that stand above their threshold without an alert, as a judge finds them."""
    if not len(fleet):
        return []
    with np.errstate(divide="ignore"):
        evidence = np.log(fleet.evidence.mean(axis=0))
    above = evidence >= detector.budget.log_thresholds[fleet.level]
    rows: list[int] = np.flatnonzero(above & np.isnan(fleet.opened_at)).tolist()
    return rows


def with_rows(index: Ints, minute: Minute, rows: Collection[int]) -> tuple[Ints, Minute]:
    """The same minute with these rows judged too, by no answers if they have none in it."""
    fresh = np.setdiff1d(np.array(sorted(rows), np.intp), index)
    if not len(fresh):
        return index, minute
    order = np.argsort(np.concatenate([index, fresh]), kind="stable")

    def wider(counts: Floats) -> Floats:
        found: Floats = np.concatenate([counts, np.zeros(len(fresh))])[order]
        return found

    every: Ints = np.concatenate([index, fresh])[order]
    return every, Minute(
        answers=wider(minute.answers),
        detractors=wider(minute.detractors),
        raw_answers=wider(minute.raw_answers),
        raw_detractors=wider(minute.raw_detractors),
        now_h=minute.now_h,
        tick_h=minute.tick_h,
    )
