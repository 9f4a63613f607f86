"""Coverage of the intervals by enumeration of every outcome; no draws."""

from math import comb, exp, lgamma, log

import pytest

from services.scoring.domain.scores import score_of
from shared.intervals import METHODS, p_value
from shared.programme.metrics import METRICS, find_metric
from shared.tally import Tally, tally_points

NPS, CSAT, _, CES = METRICS
SHARES = [step / 20 for step in range(1, 20)]


def trinomial(n: int, promoters: int, detractors: int, shares: tuple[float, float]) -> float:
    p, d = shares
    rest = n - promoters - detractors
    passive = 1 - p - d
    if passive <= 1e-12:
        return 0.0 if rest else comb(n, promoters) * p**promoters * d**detractors
    ways = lgamma(n + 1) - lgamma(promoters + 1) - lgamma(detractors + 1) - lgamma(rest + 1)
    return exp(ways + promoters * log(p) + detractors * log(d) + rest * log(passive))


def nps_coverage(n: int, shares: tuple[float, float]) -> float:
    truth = 100 * (shares[0] - shares[1])
    covered = 0.0
    for promoters in range(n + 1):
        for detractors in range(n + 1 - promoters):
            tally = Tally(promoters, n - promoters - detractors, detractors)
            low, high = METHODS[NPS.interval](tally, NPS, 1.0).interval()
            if low - 1e-9 <= truth <= high + 1e-9:
                covered += trinomial(n, promoters, detractors, shares)
    return covered


@pytest.mark.parametrize(
    ("n", "mean", "worst"), [(8, 0.95, 0.90), (20, 0.945, 0.93), (30, 0.945, 0.93)]
)
def test_the_interval_of_nps_covers_the_truth(n: int, mean: float, worst: float) -> None:
    grid = [(p, d) for p in SHARES[1::3] for d in SHARES[1::3] if p + d <= 1]

    found = [nps_coverage(n, shares) for shares in grid]

    assert mean <= sum(found) / len(found) <= 0.975
    assert min(found) >= worst


@pytest.mark.parametrize(
    ("n", "worst"), [(5, 0.90), (10, 0.90), (20, 0.93), (50, 0.93), (200, 0.93)]
)
def test_the_interval_of_csat_covers_the_truth(n: int, worst: float) -> None:
    found = []
    for share in SHARES:
        covered = 0.0
        for promoters in range(n + 1):
            tally = Tally(promoters=promoters, detractors=n - promoters)
            low, high = METHODS[CSAT.interval](tally, CSAT, 1.0).interval()
            if low <= 100 * share <= high:
                covered += comb(n, promoters) * share**promoters * (1 - share) ** (n - promoters)
        found.append(covered)

    assert 0.94 <= sum(found) / len(found) <= 0.975
    assert min(found) >= worst


CES_SHAPES = [
    [1 / 7] * 7,
    [0.02, 0.03, 0.03, 0.05, 0.12, 0.25, 0.5],
    [0.4, 0.05, 0.02, 0.02, 0.03, 0.08, 0.4],
    [0.1, 0, 0, 0, 0, 0, 0.9],
]


def outcomes(shape: list[float], n: int) -> dict[tuple[int, int], float]:
    found = {(0, 0): 1.0}
    for _ in range(n):
        grown: dict[tuple[int, int], float] = {}
        for (total, squares), weight in found.items():
            for point, share in enumerate(shape, 1):
                if share:
                    key = total + point, squares + point * point
                    grown[key] = grown.get(key, 0.0) + weight * share
        found = grown
    return found


@pytest.mark.parametrize(("n", "worst"), [(6, 0.92), (20, 0.93)])
@pytest.mark.parametrize("shape", CES_SHAPES)
def test_the_interval_of_ces_covers_the_truth(shape: list[float], n: int, worst: float) -> None:
    truth = sum(point * share for point, share in enumerate(shape, 1))

    covered = 0.0
    for (total, squares), weight in outcomes(shape, n).items():
        tally = Tally(promoters=n, total=total, squares=squares)
        low, high = METHODS[CES.interval](tally, CES, 1.0).interval()
        covered += weight * (low <= truth <= high)

    assert covered >= worst


def test_equal_answers_still_leave_doubt() -> None:
    tally = tally_points(find_metric("ces", (1, 7)), [0, 0, 0, 0, 0, 0, 5])

    interval = score_of(tally, CES).interval

    assert interval is not None
    low, high = interval

    assert low < 7.0
    assert high == 7.0


def test_no_difference_is_called_one_in_about_five_of_a_hundred_comparisons() -> None:
    n, share = 40, 0.3
    weights = [comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n + 1)]
    estimates = [
        METHODS[CSAT.interval](Tally(promoters=k, detractors=n - k), CSAT, 0.5)
        for k in range(n + 1)
    ]

    wrong = sum(
        weights[i] * weights[j]
        for i in range(n + 1)
        for j in range(n + 1)
        if p_value(estimates[i], estimates[j]) < 0.05
    )

    assert 0.03 <= wrong <= 0.06
