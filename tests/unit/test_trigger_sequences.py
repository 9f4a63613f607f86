"""Intervals that are looked at every day of a year."""

from collections import defaultdict
from collections.abc import Mapping
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.trigger.domain.sequences import LEVEL, difference, interval, log_capital

pytestmark = pytest.mark.thorough

RUNS, DAYS = 300, 365
THRESHOLD = -np.log(1 - LEVEL)

Array = NDArray[np.float64]
Shares = Mapping[float, float]  # of each outcome in [0, 1]

RATES = {f"rate {share}": {0.0: 1 - share, 1.0: share} for share in (0.05, 0.2, 0.5)}
SCORES: Mapping[str, Shares] = {
    "nps": {0.0: 0.3, 0.5: 0.25, 1.0: 0.45},
    "ces": {point / 6: share for point, share in enumerate((0.05, 0.05, 0.1, 0.1, 0.2, 0.2, 0.3))},
}
KINDS: Mapping[str, Shares] = {**RATES, **SCORES}
A_DAY = (2, 40)


def mean_of(shares: Shares) -> float:
    return sum(outcome * share for outcome, share in shares.items())


def apart(first: Shares, other: Shares) -> Shares:
    """The differences of pairs, as outcomes in [0, 1]."""
    found: dict[float, float] = defaultdict(float)
    for one, share in first.items():
        for two, likewise in other.items():
            found[round((1 + two - one) / 2, 9)] += share * likewise
    return found


def arrivals(random: np.random.Generator, a_day: int) -> NDArray[np.int64]:
    """How many customers each of two variants has got by the end of each day."""
    drawn = random.multinomial(random.poisson(a_day, (RUNS, DAYS)), (0.5, 0.5))
    return drawn.cumsum(axis=1)


def counts(random: np.random.Generator, shares: Shares, seen: NDArray[np.int64]) -> Array:
    """How often each outcome has come by the end of each day, when so many have been seen."""
    fresh = np.diff(seen, axis=1, prepend=0)
    return random.multinomial(fresh, list(shares.values())).cumsum(axis=1).astype(float)


def ever(outside: NDArray[np.bool_]) -> float:
    return float(outside.any(axis=1).mean())


def false_alarms(shares: Shares, a_day: int, seed: int) -> tuple[float, float]:
    """Of variants that are alike, how many are told apart on any day; by us, and naively."""
    random = np.random.default_rng(seed)
    steps = apart(shares, shares)
    outcomes = np.array(list(steps))
    seen = counts(random, steps, arrivals(random, a_day).min(axis=2))
    n = np.maximum(seen.sum(axis=2), 1)
    mean = seen @ outcomes / n
    error = np.sqrt(np.maximum(seen @ outcomes**2 / n - mean**2, 0) / n)
    naive = (np.abs(mean - 0.5) > 1.96 * error) & (n >= 30)
    return ever(log_capital(seen, outcomes, 0.5) >= THRESHOLD), ever(naive)


@pytest.mark.parametrize("a_day", A_DAY)
@pytest.mark.parametrize("kind", KINDS)
def test_variants_that_are_alike_are_seldom_told_apart(kind: str, a_day: int) -> None:
    ours, naive = false_alarms(KINDS[kind], a_day, seed=1)

    assert ours <= 1 - LEVEL
    assert naive > 0.15, "the simulation must catch an interval that is meant for one look"


@pytest.mark.parametrize("kind", KINDS)
def test_the_interval_of_one_variant_holds_the_truth_on_every_day(kind: str) -> None:
    shares, random = KINDS[kind], np.random.default_rng(2)
    seen = counts(random, shares, arrivals(random, 10)[..., 0])

    missed = ever(log_capital(seen, np.array(list(shares)), mean_of(shares)) >= THRESHOLD)

    assert missed <= 1 - LEVEL


def test_a_true_difference_is_found_and_is_where_it_is_said_to_be() -> None:
    random = np.random.default_rng(3)
    steps = apart({0.0: 0.8, 1.0: 0.2}, {0.0: 0.74, 1.0: 0.26})
    seen = counts(random, steps, np.tile(np.arange(1, DAYS + 1) * 10, (RUNS, 1)))

    decided = log_capital(seen, np.array(list(steps)), 0.5) >= THRESHOLD
    wrong = log_capital(seen, np.array(list(steps)), 0.5 + 0.06 / 2) >= THRESHOLD

    needed = np.where(decided.any(axis=1), decided.argmax(axis=1) + 1, DAYS + 1) * 10
    fixed = 7.849 * (0.2 * 0.8 + 0.26 * 0.74) / 0.06**2  # of each, for 80 % at 5 %
    assert np.quantile(needed, 0.8) < 2.3 * fixed
    assert ever(wrong) <= 1 - LEVEL


@st.composite
def seen_outcomes(draw: st.DrawFn) -> dict[float, int]:
    scale = draw(st.sampled_from([1, 2, 4, 6]))
    number = st.integers(0, 2000)
    return {point / scale: draw(number) for point in range(scale + 1)}


@settings(max_examples=25)
@given(seen_outcomes())
def test_an_interval_holds_the_mean_and_ends_where_the_capital_is_reached(
    seen: dict[float, int],
) -> None:
    low, high = interval(seen)

    n = sum(seen.values())
    mean = sum(outcome * often for outcome, often in seen.items()) / n if n else 0.5
    assert 0 <= low <= mean + 1e-9
    assert mean - 1e-9 <= high <= 1
    outcomes, often = np.array(list(seen)), np.array(list(seen.values()), float)
    for edge in {low, high} - {0.0, 1.0}:
        assert log_capital(often, outcomes, edge) == pytest.approx(THRESHOLD, abs=1e-3)
    turned = interval({1 - outcome: often for outcome, often in seen.items()})
    assert turned == pytest.approx((1 - high, 1 - low), abs=1e-9)
    wider = interval(seen, 0.99)
    assert wider[0] <= low
    assert high <= wider[1]


def test_more_outcomes_make_a_narrower_interval() -> None:
    widths = [high - low for low, high in map(interval, ({0.0: 4 * n, 1.0: n} for n in SIZES))]

    assert widths == sorted(widths, reverse=True)
    for n, width in zip(SIZES, widths, strict=True):
        wald = 2 * 1.96 * sqrt(0.2 * 0.8 / (5 * n))
        assert 1.2 < width / wald < 2.2
    assert interval({}) == (0.0, 1.0)
    assert difference({}) == (-1.0, 1.0)


SIZES = (10, 100, 1000, 10_000, 100_000)
