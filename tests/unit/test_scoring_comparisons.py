"""Many p-values in one go, and what Benjamini and Hochberg leave of them."""

from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.domain.comparisons import Side, adjusted, alone, compare_all, rest_of
from shared.intervals import METHODS, p_value
from shared.programme.metrics import METRICS
from shared.tally import Tallies, Tally

NPS = METRICS[0]
P_VALUES = st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.01, 0.05, nan])), max_size=30)


def side(*tallies: tuple[int, int, int], deff: float = 1.0) -> Side:
    """Groups of (promoters, passives, detractors)."""
    return columns(np.array(tallies, np.int64).reshape(-1, 3).T, deff)


def columns(kinds: np.ndarray, deff: float = 1.0) -> Side:
    """Groups side by side; the metrics compared here need no points."""
    zero = np.zeros(kinds.shape[1], np.int64)
    return Side(Tallies(kinds[0], kinds[1], kinds[2], zero, zero), np.full(len(zero), deff))


def textbook(p_values: list[float]) -> list[float]:
    """The least level at which the step-up procedure calls each of them different."""
    made = sorted(p for p in p_values if not isnan(p))
    m = len(made)
    return [
        nan
        if isnan(p)
        else min(1.0, *(m * other / rank for rank, other in enumerate(made, 1) if other >= p))
        for p in p_values
    ]


@settings(max_examples=80)
@given(P_VALUES)
def test_adjusted_p_values_are_those_of_the_textbook(p_values: list[float]) -> None:
    found = adjusted(np.array(p_values))

    assert found.tolist() == pytest.approx(textbook(p_values), nan_ok=True, rel=1e-12, abs=0)


@settings(max_examples=80)
@given(P_VALUES)
def test_adjusting_keeps_the_order_and_never_makes_a_difference_surer(p: list[float]) -> None:
    values = np.array(p)
    found = adjusted(values)

    made = ~np.isnan(values)
    assert np.array_equal(np.isnan(found), ~made)
    assert np.all(found[made] >= values[made])
    assert np.all(found[made] <= 1)
    assert np.all(np.diff(found[made][np.argsort(values[made])]) >= 0)


def test_one_comparison_stays_what_it_is() -> None:
    assert adjusted(np.array([0.03, nan])).tolist() == pytest.approx([0.03, nan], nan_ok=True)


def test_groups_together_are_compared_as_each_alone() -> None:
    now, before = side((30, 10, 5), (0, 0, 0), (9, 9, 9)), side((20, 10, 20), (5, 5, 5), (0, 0, 0))

    found = compare_all(now, before, NPS)

    estimate = METHODS[NPS.interval]
    p = p_value(estimate(Tally(30, 10, 5), NPS, 0.5), estimate(Tally(20, 10, 20), NPS, 0.5))
    assert found.p_value.tolist() == pytest.approx([p, nan, nan], nan_ok=True)
    assert found.p_adjusted.tolist() == pytest.approx([p, nan, nan], nan_ok=True)
    assert found.change.tolist() == pytest.approx([100 * 25 / 45, nan, nan], nan_ok=True)
    assert found.n.tolist() == [50, 15, 0]
    assert found.score.tolist() == pytest.approx([0.0, 0.0, nan], nan_ok=True)


def test_a_design_effect_makes_a_difference_less_sure() -> None:
    now, before = (60, 10, 10), (40, 20, 40)

    plain = compare_all(side(now), side(before), NPS).p_value[0]
    widened = compare_all(side(now, deff=9.0), side(before, deff=9.0), NPS).p_value[0]

    assert plain < 0.01 < widened


def test_the_rest_is_the_whole_without_the_group() -> None:
    groups, whole = side((1, 2, 3), (4, 0, 1)), side((10, 4, 6))

    rest = rest_of(whole.tallies, groups.tallies)

    assert rest.n.tolist() == [14, 15]
    assert (rest.promoters.tolist(), rest.detractors.tolist()) == ([9, 6], [3, 5])


def test_one_group_stands_for_all_and_is_not_beside_itself() -> None:
    groups = side((30, 0, 0), (10, 10, 10), (0, 0, 30))

    found = compare_all(groups, alone(groups, 1), NPS, 1)
    nobody = compare_all(groups, alone(groups, None), NPS)

    assert found.change.tolist() == pytest.approx([100, nan, -100], nan_ok=True)
    assert found.n.tolist() == [30, 30, 30]
    assert np.isnan(found.p_adjusted).tolist() == [False, True, False]
    assert np.isnan(nobody.p_value).all()


def test_of_ten_thousand_groups_that_are_alike_hardly_any_is_called_different() -> None:
    draw = np.random.default_rng(5)
    shares = [0.5, 0.2, 0.3]
    now, before = (draw.multinomial(60, shares, 10_000).T for _ in range(2))

    found = compare_all(columns(now), columns(before), NPS)

    assert 0.03 < (found.p_value < 0.05).mean() < 0.06
    assert (found.p_adjusted < 0.05).sum() <= 2
