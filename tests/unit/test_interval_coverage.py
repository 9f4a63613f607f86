"""Coverage of the intervals by enumeration of every outcome; no draws."""

from itertools import product
from math import comb
from typing import Any

import numpy as np
import pytest
from scipy.special import gammaln, xlogy

from tests.support.interval_outcomes import (
    CES,
    CSAT,
    NPS,
    ces_outcomes,
    csat_outcomes,
    nps_outcomes,
    shown,
)

COARSE = (0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
FINE = tuple(step / 20 for step in range(21))


def covered(metric: Any, tallies: Any, points: Any, truth: float, weights: Any) -> float:
    low, high = shown(metric, tallies, points)
    return float(weights[(low - 1e-7 <= truth) & (truth <= high + 1e-7)].sum())


def nps_coverage(n: int, steps: Any) -> dict[tuple[float, float], float]:
    """By every true share on the steps, those where one class is empty too."""
    tallies, points = nps_outcomes(n)
    p, rest, d = tallies.promoters, tallies.passives, tallies.detractors
    ways = gammaln(n + 1) - gammaln(p + 1) - gammaln(d + 1) - gammaln(rest + 1)
    found = {}
    for up, down in product(steps, steps):
        flat = max(0.0, round(1 - up - down, 9))
        if up + down <= 1 + 1e-9 and max(up, down, flat) < 1:
            weights = np.exp(ways + xlogy(p, up) + xlogy(d, down) + xlogy(rest, flat))
            found[up, down] = covered(NPS, tallies, points, 100 * (up - down), weights)
    return found


def csat_coverage(n: int) -> list[float]:
    tallies, points = csat_outcomes(n)
    k = tallies.promoters
    ways = np.array([comb(n, one) for one in range(n + 1)], float)
    return [
        covered(CSAT, tallies, points, 100 * p, ways * p**k * (1 - p) ** (n - k))
        for p in FINE[1:-1]
    ]


def ces_coverage(n: int, shapes: Any) -> list[float]:
    return [
        covered(CES, tallies, points, float(np.dot(shape, range(1, 8))), weights)
        for shape in shapes
        for tallies, points, weights in [ces_outcomes(shape, n)]
    ]


QUARTERS = [
    np.array(parts) / 4
    for parts in product(range(4), repeat=7)
    if sum(parts) == 4 and parts <= parts[::-1]
]
HARD = [
    np.array(shape) / sum(shape)
    for shape in (
        [1] * 7,
        [1, 0, 0, 0, 0, 0, 19],
        [1, 0, 0, 0, 0, 0, 9],
        [1, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 1, 1],
        [0, 0, 0, 1, 0, 0, 3],
        [0, 0, 0, 0, 3, 0, 1],
        [5, 1, 1, 1, 2, 10, 80],
        [2, 3, 3, 5, 12, 25, 50],
        [40, 5, 2, 2, 3, 8, 40],
    )
]


def bars_hold(n: int, found: list[float]) -> bool:
    mean, worst = sum(found) / len(found), min(found)
    if n < 20:
        return mean >= 0.93 and worst >= 0.90
    return 0.94 <= mean <= 0.97 and worst >= 0.92


@pytest.mark.parametrize("n", [5, 7, 9, 13, 19, 20, 21, 30, 50])
def test_the_interval_of_nps_covers_the_truth_also_where_a_class_is_empty(n: int) -> None:
    found = nps_coverage(n, COARSE)

    assert bars_hold(n, list(found.values())), found
    assert (0.5, 0.5) in found
    assert (0.95, 0) in found


@pytest.mark.parametrize("n", [*range(5, 51), 75, 100, 200])
def test_the_interval_of_csat_covers_the_truth(n: int) -> None:
    assert bars_hold(n, csat_coverage(n))


@pytest.mark.parametrize("n", [5, 8, 13, 20])
def test_the_interval_of_ces_covers_the_truth(n: int) -> None:
    assert bars_hold(n, ces_coverage(n, [*QUARTERS[::5], *HARD]))


@pytest.mark.thorough
@pytest.mark.parametrize("n", [*range(5, 41), 50, 75, 100, 200])
def test_the_interval_of_nps_covers_every_truth(n: int) -> None:
    assert bars_hold(n, list(nps_coverage(n, FINE).values()))


@pytest.mark.thorough
@pytest.mark.parametrize("n", [*range(5, 20), 20, 25, 30, 40])
def test_the_interval_of_ces_covers_every_truth(n: int) -> None:
    assert bars_hold(n, ces_coverage(n, [*QUARTERS, *HARD]))
