"""By how much, and since when: no more than the answers can tell, and not exaggerated."""

import numpy as np
import pytest
from scipy.special import logit

from services.alerts.domain.estimates import shrink, wilson
from services.alerts.domain.onset import Bin, Change, find_change

ALARM = 1e5  # mean of the Shiryaev-Roberts statistics, in answers


def raise_alarms(
    rng: np.random.Generator, before: float, after: float, runs: int, calm: int = 600
) -> list[np.ndarray]:
    """Answers, one after the other, up to the alarm of a mixture Shiryaev-Roberts procedure."""
    shift = logit(before + 0.05) - logit(before)
    odds = logit(before) + shift * np.array([1, 1.6, 2.5, 4])[:, None]
    risen = 1 / (1 + np.exp(-odds))
    hurt, fine = np.log(risen / before), np.log((1 - risen) / (1 - before))
    many = calm + 3_000
    rates = np.where(np.arange(many) < calm, before, after)[:, None]
    answers = rng.random((many, runs)) < rates
    evidence, stop = np.zeros((4, runs)), np.zeros(runs, int)
    for i in range(many):
        evidence = (evidence + 1) * np.exp(np.where(answers[i], hurt, fine))
        stop[(evidence.mean(axis=0) >= ALARM) & (stop == 0)] = i + 1
        if stop.all():
            break
    return [answers[:end, run] for run, end in enumerate(stop) if end > calm]


def test_the_rise_at_the_alarm_is_not_exaggerated_and_the_onset_lies_in_its_window() -> None:
    rng = np.random.default_rng(2_024)
    bias, holds, since = [], [], []
    for before, after in ((0.15, 0.30), (0.30, 0.50)):
        rises = []
        for answers in raise_alarms(rng, before, after, 120):
            parts = np.split(answers, range(4, len(answers), 4))
            bins = [Bin(4 * i, len(one), float(one.sum())) for i, one in enumerate(parts)]
            change = find_change(bins, before, 1.0)
            rise = shrink(change, before, 5_000)
            rises.append(rise.points)
            holds.append(rise.interval[0] <= 100 * (after - before) <= rise.interval[1])
            since.append(
                bins[change.between[0]].minute <= 600 <= bins[change.between[1]].minute + 4
            )
        bias.append(float(np.mean(rises)) / (100 * (after - before)) - 1)

    assert abs(np.mean(bias)) < 0.1
    assert np.mean(holds) >= 0.93
    assert np.mean(since) >= 0.9


def test_many_answers_leave_nothing_to_shrink() -> None:
    calm = [Bin(i, 50, 5) for i in range(100)]
    risen = [Bin(100 + i, 50, 15) for i in range(200)]

    change = find_change([*calm, *risen], 0.1, 1.5)

    assert change.share == pytest.approx(0.3, abs=0.005)
    assert change.interval[1] - change.interval[0] < 0.03
    assert change.between[0] <= 100 <= change.between[1] + 1
    assert change.between[1] - change.between[0] <= 3


def test_few_answers_are_believed_less() -> None:
    found = find_change([Bin(i, 1, i >= 40) for i in range(44)], 0.2, 1.5)

    assert found.share < 0.6
    assert found.interval[1] - found.interval[0] > 0.2


def test_a_shrunk_rise_is_as_unsure_as_both_its_shares() -> None:
    rise = shrink(Change(share=0.3, interval=(0.25, 0.36), between=(0, 0)), 0.1, 100)
    low, high = wilson(10, 100)

    assert rise.points == pytest.approx(20)
    assert rise.interval[0] == pytest.approx(20 - 100 * np.hypot(0.05, high - 0.1))
    assert rise.interval[1] == pytest.approx(20 + 100 * np.hypot(0.06, 0.1 - low))
