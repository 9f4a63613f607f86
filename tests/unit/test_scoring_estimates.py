"""What an estimate says of one group or many, plain or widened, alone or beside another."""

from dataclasses import fields
from math import comb
from typing import Any

import numpy as np
import pytest

from services.scoring.domain.scores import score_of
from shared.intervals import METHODS, interval_of, p_value
from shared.programme.metrics import METRICS, IntervalKind, Metric, find_metric
from shared.tally import Tallies, Tally, tally_points
from tests.support.interval_outcomes import (
    CES,
    CSAT,
    NPS,
    ces_outcomes,
    csat_outcomes,
    nps_outcomes,
    shown,
)


@pytest.mark.parametrize("n", [1, 2, 5, 12, 30])
def test_a_widened_interval_holds_the_plain_one(n: int) -> None:
    outcomes: list[Any] = [(NPS, *nps_outcomes(n)), (CSAT, *csat_outcomes(n))]
    if n <= 12:
        outcomes.append((CES, *ces_outcomes([1 / 7] * 7, n)[:2]))
    for metric, tallies, points in outcomes:
        low, high = shown(metric, tallies, points)
        for deff in (1.001, 1.4, 4, 40):
            wider_low, wider_high = shown(metric, tallies, points, deff)

            assert (wider_low <= low + 1e-9).all()
            assert (wider_high >= high - 1e-9).all()
            low, high = wider_low, wider_high


@pytest.mark.parametrize("kind", IntervalKind)
@pytest.mark.parametrize(("weight", "deff"), [(1.0, 1.0), (0.5, 1.0), (1.0, 2.5)])
def test_many_groups_at_once_are_each_as_if_alone(
    kind: IntervalKind, weight: float, deff: float
) -> None:
    metric = next(metric for metric in METRICS if metric.interval is kind)
    counts = np.random.default_rng(7).integers(0, 9, (40, len(metric.points)))
    alone = [tally_points(metric, row.tolist()) for row in counts] + [Tally()]
    names = [field.name for field in fields(Tallies)]
    together = Tallies(*(np.array([getattr(one, name) for one in alone]) for name in names))
    deffs = np.linspace(1, deff, len(alone))

    many = METHODS[kind](together, metric, weight, deffs)
    each = [
        METHODS[kind](one, metric, weight, float(by)) for one, by in zip(alone, deffs, strict=True)
    ]

    low, high = interval_of(many, 0.9)
    assert low == pytest.approx([one.interval(0.9)[0] for one in each])
    assert high == pytest.approx([one.interval(0.9)[1] for one in each])
    p_values = [p_value(one, each[0]) for one in each]
    assert p_value(many, METHODS[kind](alone[0], metric, weight)) == pytest.approx(p_values)
    assert many.n.shape == many.centre.shape == (41,)


def test_equal_answers_still_leave_doubt() -> None:
    tally = tally_points(find_metric("ces", (1, 7)), [0, 0, 0, 0, 0, 0, 5])

    interval = score_of(tally, CES).interval

    assert interval is not None
    low, high = interval
    assert low < 7.0
    assert high == 7.0


@pytest.mark.parametrize("n", [8, 20, 40])
@pytest.mark.parametrize("metric", [NPS, CSAT])
def test_no_difference_is_called_one_in_about_five_of_a_hundred_comparisons(
    metric: Metric, n: int
) -> None:
    k = np.arange(n + 1)
    weights = np.array([comb(n, one) for one in range(n + 1)], float) * 0.5**n
    groups = METHODS[metric.interval](Tallies(k, k * 0, n - k, k, k), metric, 0.5)
    others = [METHODS[metric.interval](Tally(i, 0, n - i), metric, 0.5) for i in range(n + 1)]

    wrong = sum(
        weights[i] * weights[p_value(groups, other) < 0.05].sum() for i, other in enumerate(others)
    )

    assert 0.03 <= wrong <= 0.08


def test_what_is_widened_differs_less_surely() -> None:
    left, right = Tally(60, 0, 40), Tally(40, 0, 60)

    plain, widened = (
        p_value(
            METHODS[NPS.interval](left, NPS, 0.5, deff),
            METHODS[NPS.interval](right, NPS, 0.5, deff),
        )
        for deff in (1.0, 4.0)
    )

    assert plain < 0.01
    assert widened == pytest.approx(0.17, abs=0.02)


def test_equal_groups_do_not_differ() -> None:
    estimate = METHODS[CES.interval](Tally(3, 0, 2, 20, 100), CES, 0.5)

    assert p_value(estimate, estimate) == 1.0
