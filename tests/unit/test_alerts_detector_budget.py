"""The promise as thresholds."""

import json

import numpy as np
import pytest

from services.alerts.domain.budget import Budget
from services.alerts.domain.terms import Policy

DAY_ONE = 20_000
STREAMS = np.array([1, 10, 20])
POLICY = Policy()


def used(days: int, *, hours: float, answers: float) -> Budget:
    """A budget of which level 0 claimed `hours` with `answers` each day, the others the same."""
    budget = Budget()
    for day in range(DAY_ONE, DAY_ONE + days):
        budget.turn(day * 24.0, STREAMS, POLICY)
        level = np.array([0, 1, 2])
        budget.charge(day * 24.0, level, np.full(3, hours), np.full(3, answers))
    return budget


def thresholds(budget: Budget, after_days: int, policy: Policy = POLICY) -> list[float]:
    log_thresholds = budget.divide((DAY_ONE + after_days) * 24.0, STREAMS, policy)
    return [float(x) for x in np.exp(log_thresholds)]


def test_before_anything_is_known_every_hour_of_every_stream_is_charged() -> None:
    assert thresholds(Budget(), 0) == pytest.approx([504, 5_040, 10_080])


def test_after_four_weeks_only_hours_claimed_are_charged() -> None:
    busy = used(28, hours=20.0, answers=1_000.0)
    assert thresholds(busy, 28) == pytest.approx([140 * 3, 140 * 3, 140 * 3])


def test_in_between_the_two_are_blended() -> None:
    busy = used(14, hours=20.0, answers=1_000.0)
    assert thresholds(busy, 14)[1] == pytest.approx((140 + 1_680) / 2 * 3)


def test_never_more_than_every_hour() -> None:
    absurd = used(28, hours=1e6, answers=1_000.0)
    assert thresholds(absurd, 28) == pytest.approx([504, 5_040, 10_080])


def test_few_answers_ring_at_most_once_a_thousand() -> None:
    slow = used(28, hours=20.0, answers=10.0)
    assert thresholds(slow, 28)[0] == pytest.approx(140 * 3 * 1_000 / 70)


def test_fewer_false_alarms_cost_evidence() -> None:
    busy = used(28, hours=20.0, answers=1_000.0)
    strict = Policy(false_alarms_per_week=0.1)
    assert thresholds(busy, 28, strict)[0] == pytest.approx(140 * 3 * 10)


def test_never_below_the_least() -> None:
    assert thresholds(used(28, hours=0.1, answers=1_000.0), 28)[0] == pytest.approx(300)


def test_the_day_itself_does_not_count() -> None:
    budget = used(28, hours=20.0, answers=1_000.0)
    before = thresholds(budget, 28)
    level = np.array([0])
    budget.charge((DAY_ONE + 28) * 24.0 + 3, level, np.array([9.0]), np.array([9_000.0]))
    assert thresholds(budget, 28) == before


def test_after_a_silence_the_last_thresholds_stand() -> None:
    budget = used(28, hours=20.0, answers=1_000.0)
    last = np.exp(budget.log_thresholds).tolist()
    assert thresholds(budget, 400) == pytest.approx(last)


def test_stored_and_read_again() -> None:
    for budget in (Budget(), used(40, hours=3.0, answers=7.0)):
        again = Budget.from_record(json.loads(json.dumps(budget.to_record())))
        assert again.to_record() == budget.to_record()
        assert thresholds(again, 41) == thresholds(budget, 41)


def test_only_four_weeks_are_kept() -> None:
    assert len(used(100, hours=3.0, answers=7.0).days) <= 29
