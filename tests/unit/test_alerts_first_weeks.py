"""What the detector knows of a fleet that it has seen for days, not weeks."""

import numpy as np
import pytest

from services.alerts.domain.detector import Detector
from services.alerts.domain.state import FleetState
from services.alerts.domain.terms import FleetTerms, Policy
from services.alerts.domain.wobble import DAY_LAGS, HALF_STEPS, LAGS, Wobble

TERMS = FleetTerms()
SEEN = 50_000.0  # weight of pairs of two hundred large streams


def noted(drift: float, wobble: float, days: int) -> Wobble:
    """What is seen of a random walk up to a lag of so many days."""
    found = Wobble()
    found.note({"quarter": (SEEN, SEEN * wobble**2)})
    for lag in DAY_LAGS[:days]:
        found.note({lag: (SEEN, SEEN * (wobble**2 + drift * HALF_STEPS[lag]))})
    return found


def test_drift_shows_before_there_are_days_a_week_apart() -> None:
    _, _, drift = noted(3e-4, 0.0, 4).learn(TERMS, 1.0)
    assert drift > 1.5e-4
    _, _, drift = noted(3e-4, 0.0, 7).learn(TERMS, 1.0)
    assert drift == pytest.approx(3e-4, rel=0.1)


def test_an_older_record_lacks_days_between() -> None:
    record = {"weight": {"day": 9.0, "week": 7.0}, "excess": {"day": 0.2, "week": 0.3}}
    wobble = Wobble.from_record(record)
    assert set(wobble.weight) == set(wobble.excess) == set(LAGS)
    assert (wobble.weight["week"], wobble.weight["3 days"]) == (7.0, 0.0)


def test_no_hour_of_a_large_streams_first_day_counts_more_than_another() -> None:
    detector, fleet = Detector(Policy()), FleetState.empty(1)
    for tick in range(96):
        share = 0.1 if tick < 4 else 0.2
        n = np.array([1_000.0])
        now_h = 480_000.0 + (tick + 1) / 4
        detector.step(fleet, np.array([0]), n, n * share, now_h, 1 / 4)
    detractors, others = fleet.baseline_detractors[0], fleet.baseline_others[0]
    assert detractors / (detractors + others) == pytest.approx(0.2 - 0.1 / 24, abs=0.008)
