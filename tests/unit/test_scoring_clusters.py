"""How alike answers of one day are, and what that makes of an interval."""

from typing import Any

import numpy as np
import pytest

from benchmarks.intervals_clusters import Slice, cover
from services.scoring.domain.clusters import (
    Cells,
    cells_of,
    crowding,
    design_effect,
    intraclass,
)
from shared.programme.metrics import find_metric
from shared.tally import Tallies

NPS = find_metric("nps", (0, 10))
DAYS = 28


def drawn(rng: np.random.Generator, segments: int, n: int, alike: float) -> Cells:
    """Cells of so many segments over 28 days; answers of a day as alike as said."""
    segment = np.repeat(np.arange(segments), DAYS)
    sizes = rng.multinomial(n, np.full(DAYS, 1 / DAYS), size=segments).ravel()
    shares = np.repeat(rng.dirichlet((4, 3, 3), size=segments), DAYS, axis=0)
    if alike:
        gamma = rng.standard_gamma(shares * (1 / alike - 1))
        shares = gamma / gamma.sum(axis=1, keepdims=True)
    up, flat, down = rng.multinomial(sizes, shares).T
    return cells_of(segment, Tallies(up, flat, down, up, up), NPS)


def by_hand(groups: list[list[int]], segments: int = 1) -> float:
    """The analysis of variance of one segment, answer by answer, or of some alike."""
    answers = [value for group in groups for value in group]
    n, k, mean = len(answers), len(groups), sum(answers) / len(answers)
    between = sum(len(g) * (sum(g) / len(g) - mean) ** 2 for g in groups) / (k - 1)
    within = sum((v - sum(g) / len(g)) ** 2 for g in groups for v in g) / (n - k)
    size = (n - sum(len(g) ** 2 for g in groups) / n) / (k - 1)
    rho = (between - within) / (between + (size - 1) * within)
    weight = (k - 1) * size * (n - k) / (n - 1)
    chance = 2 * (k - 1) * (n - k) / (n + 1) / weight**2 / segments
    chance *= (segments * (n - k) / (segments * (n - k) - 4)) ** 2
    raw = (between - within) / size  # beside the variance of all answers, as chance is
    whole = sum((v - mean) ** 2 for v in answers) / (n - 1)
    return rho * (1 - chance / (raw / whole) ** 2)


def cells(groups: list[list[int]], segment: int = 0) -> Cells:
    sums = [(len(g), sum(g), sum(v * v for v in g)) for g in groups]
    n, total, squares = np.array(sums).T
    return Cells(np.full(len(groups), segment), n, total, squares)


GROUPS = [[5, 6, 7, 6], [1, 2, 1], [4, 4, 5, 3, 4], [7, 7], [2, 1, 3, 2]]


def test_it_is_the_analysis_of_variance() -> None:
    assert intraclass(cells(GROUPS)) == pytest.approx(by_hand(GROUPS))
    assert intraclass(cells(GROUPS)) > 0.7


def test_what_differs_between_segments_is_no_cluster() -> None:
    high = [[value + 100 for value in group] for group in GROUPS]
    one, other = cells(GROUPS), cells(high, segment=3)
    both = Cells(*(np.concatenate([getattr(one, f), getattr(other, f)]) for f in Cells.__slots__))

    assert intraclass(both) == pytest.approx(by_hand(GROUPS, 2))


def test_segments_that_vary_more_than_others_are_no_cluster() -> None:
    rng = np.random.default_rng(3)
    alone = np.arange(50).repeat(20)  # so many small segments, two answers in every tenth cluster
    segment = np.concatenate([alone, np.full(20, 50)])
    n = np.concatenate([np.tile([2] + [1] * 9, 100), np.full(20, 40)])
    p = np.where(segment == 50, 0.05, 0.5)

    found = []
    for _ in range(50):
        up = rng.binomial(n, p)
        found.append(intraclass(Cells(segment, n, up, up)))

    assert np.mean(found) < 0.01


def test_independent_answers_are_not_alike() -> None:
    rng = np.random.default_rng(1)

    found = [intraclass(drawn(rng, 10, 300, 0)) for _ in range(100)]

    assert np.mean(found) < 0.002
    assert sum(rho == 0 for rho in found) > 60


@pytest.mark.parametrize("alike", [0.05, 0.2, 0.5])
def test_clustered_answers_are_as_alike_as_they_are(alike: float) -> None:
    rng = np.random.default_rng(2)

    found = np.mean([intraclass(drawn(rng, 20, 300, alike)) for _ in range(40)])

    assert found == pytest.approx(alike, rel=0.15)


@pytest.mark.parametrize(
    ("plan", "plain", "widened"),
    [
        (Slice(1, 100), (0.93, 0.97), (0.93, 0.97)),
        (Slice(5, 30), (0.93, 0.97), (0.93, 0.97)),
        (Slice(5, 280, 2.0), (0.80, 0.87), (0.92, 0.97)),
        (Slice(5, 280, 6.0), (0.50, 0.60), (0.92, 0.98)),
    ],
)
def test_widened_intervals_cover_the_truth_whether_answers_cluster_or_not(
    plan: Slice, plain: tuple[float, float], widened: tuple[float, float]
) -> None:
    rng = np.random.default_rng(5)

    found = cover(rng, NPS, plan, np.array([0.25, 0.3, 0.45]), 1000 // plan.segments)

    assert plain[0] <= found.plain <= plain[1]
    assert widened[0] <= found.widened <= widened[1]


@pytest.mark.parametrize(
    "groups", [[], [[3, 4, 5, 6, 7, 1, 2]], [[1], [7], [3]], [[7, 7, 6], [1, 1, 2]]]
)
def test_where_too_few_share_a_cluster_nothing_is_said(groups: Any) -> None:
    none = np.zeros(0)

    assert intraclass(cells(groups) if groups else Cells(none.astype(int), none, none, none)) == 0


def test_equal_answers_are_no_cluster_and_equal_days_are_all_of_one() -> None:
    assert intraclass(cells([[7] * 5] * 6)) == 0
    assert intraclass(cells([[7] * 5, [1] * 5] * 6)) > 0.9


def test_empty_cells_change_nothing() -> None:
    padded = cells(GROUPS)
    padded = Cells(*(np.append(getattr(padded, field), 0) for field in Cells.__slots__))

    assert intraclass(padded) == intraclass(cells(GROUPS))


@pytest.mark.parametrize(
    ("metric", "total", "squares"),
    [("nps", 1, 5), ("csat", 3, 3), ("ces", 31, 171)],
)
def test_the_value_of_an_answer_is_what_the_score_is_a_mean_of(
    metric: str, total: int, squares: int
) -> None:
    scale = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}[metric]
    tallies = Tallies(*(np.array([value]) for value in (3, 1, 2, 31, 171)))

    found = cells_of(np.array([0]), tallies, find_metric(metric, scale))

    assert [found.n[0], found.total[0], found.squares[0]] == [6, total, squares]


def test_crowding_is_how_many_answers_stand_around_one() -> None:
    group, n = np.array([0, 0, 1, 1, 1]), np.array([10, 30, 1, 1, 0])

    assert crowding(group, n, 3).tolist() == [25.0, 1.0, 1.0]


def test_the_design_effects_of_day_and_agent_add_up() -> None:
    day, agent = np.array([11.0, 1.0]), np.array([5.0, 0.0])

    assert design_effect([(day, 0.1), (agent, 0.25)], 2).tolist() == [3.0, 1.0]
    assert design_effect([], 2).tolist() == [1.0, 1.0]
