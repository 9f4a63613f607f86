"""When an open alert ends: as soon after a short fault as after a long one."""

import numpy as np
import pytest

from services.alerts.domain.detector import Detector
from services.alerts.domain.state import FleetState
from services.alerts.domain.terms import FleetTerms, Policy

TICK_H = 1 / 60
LASTS = np.array([20, 50, 100, 200, 800])  # answers by which each stream's fault outlives its alarm
BEGINS = 1_500
NEVER = 9_999


@pytest.mark.thorough
def test_an_alert_ends_as_soon_after_a_short_fault_as_after_a_long_one() -> None:
    detector = Detector(Policy(), FleetTerms(learning=False))
    fleet, index = FleetState.empty(len(LASTS)), np.arange(len(LASTS))
    ends, took = np.full(len(LASTS), NEVER), np.full(len(LASTS), NEVER)
    for i in range(3_000):
        share = np.where((i >= BEGINS) & (i < ends), 2, 5)
        now_h = 490_000.0 + (i + 1) * TICK_H
        detractors = (i % share == 0).astype(float)
        answers = np.ones(len(LASTS))
        judgement = detector.step(fleet, index, answers, detractors, now_h, TICK_H)
        closed = np.array([how is not None for how in judgement.closed])
        took[closed] = i - ends[closed]
        for row in np.flatnonzero(judgement.fired).tolist():
            ends[row] = i + LASTS[row]
            detector.open(fleet, row, now_h)
    assert (took > 0).all()
    assert took.max() < min(1.5 * took[-1], 250), took
