"""Numbers that people read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.domain.estimates import Severity, estimate, hurt_per_hour, severity, wilson


def test_wilson_against_a_published_example() -> None:
    # Newcombe 1998, Statistics in Medicine 17:857, table I: 81 of 263.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(0, 0) == (0.0, 1.0)


def test_difference_against_a_published_example() -> None:
    # Newcombe 1998, Statistics in Medicine 17:873, table II, method 10: 56/70 - 48/80.
    result = estimate(
        detractors=56, answers=70, baseline_rate=48 / 80, baseline_mass=80, dispersion=1
    )
    assert result.rise_points == pytest.approx(20.0)
    assert result.rise_interval == pytest.approx((5.24, 33.39), abs=5e-3)


@given(st.integers(0, 300), st.integers(0, 300), st.floats(0, 1), st.floats(0.1, 1e5))
def test_intervals_hold_their_estimate(hurt: int, fine: int, base: float, mass: float) -> None:
    result = estimate(detractors=hurt, answers=hurt + fine, baseline_rate=base, baseline_mass=mass)
    low, high = result.current_interval
    assert 0 <= low <= high <= 1
    assert low - 1e-12 <= result.current <= high + 1e-12
    below, above = result.rise_interval
    assert -100 <= below <= above <= 100
    assert below - 1e-9 <= result.rise_points <= above + 1e-9


@pytest.mark.parametrize(
    ("hurt", "expected"),
    [(1.0, Severity.CRITICAL), (0.99, Severity.WARNING), (0.04, Severity.INFO)],
)
def test_severity_by_customers_hurt_per_hour(hurt: float, expected: Severity) -> None:
    assert severity(hurt) is expected


def test_hurt_counts_what_the_baseline_does_not_explain() -> None:
    assert hurt_per_hour(detractors=30, answers=100, baseline_rate=0.1, hours=4) == 5
    assert hurt_per_hour(detractors=3, answers=100, baseline_rate=0.1, hours=4) == 0
    assert hurt_per_hour(detractors=30, answers=100, baseline_rate=0.1, hours=0.1) == 20
