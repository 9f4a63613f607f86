"""Scores drawn to the mean of all groups: nearer to the truth, and honest about how near."""

import numpy as np
import pytest

from services.scoring.domain.scores import points_of
from services.scoring.domain.shrinkage import shrink
from shared.programme.metrics import METRICS, Metric
from shared.tally import Tallies

NPS, CSAT, _, CES = METRICS[:4]


def drawn(
    draw: np.random.Generator, metric: Metric, spread: float, groups: int
) -> tuple[Tallies, np.ndarray]:
    """Groups of 2 to 40 answers, and their true scores; `spread` is how unlike they are."""
    sizes = draw.integers(2, 40, groups)
    level = draw.normal(0.0, spread, groups)
    promoters = np.clip(0.45 + level / 2, 0.02, 0.95)
    detractors = np.clip(0.25 - level / 2, 0.02, 0.98 - promoters)
    shares = np.column_stack((promoters, 1 - promoters - detractors, detractors))
    counts = draw.multinomial(sizes, shares).T
    points = np.array([6, 4, 2])
    tallies = Tallies(counts[0], counts[1], counts[2], points @ counts, points**2 @ counts)
    if metric is NPS:
        return tallies, 100 * (promoters - detractors)
    return tallies, 100 * promoters if metric is CSAT else shares @ points


def rounds(metric: Metric, spread: float, groups: int, many: int) -> tuple[float, float, float]:
    """Mean squared error of the plain and of the drawn scores, and the share that is covered."""
    draw = np.random.default_rng(11)
    plain = nearer = covered = 0.0
    for _ in range(many):
        tallies, truth = drawn(draw, metric, spread, groups)
        found = shrink(tallies, metric)
        assert found is not None
        plain += float(((points_of(tallies, metric) - truth) ** 2).mean()) / many
        nearer += float(((found.score - truth) ** 2).mean()) / many
        covered += float(((found.low <= truth) & (truth <= found.high)).mean()) / many
    return plain, nearer, covered


@pytest.mark.parametrize("metric", [NPS, CSAT, CES])
@pytest.mark.parametrize(
    ("spread", "groups", "gain"),
    [(0.0, 60, 0.1), (0.1, 60, 0.25), (0.3, 60, 0.7), (0.1, 6, 0.6), (0.3, 6, 0.9), (0.2, 10, 0.7)],
)
def test_drawn_scores_are_nearer_to_the_truth_and_their_intervals_cover_it(
    metric: Metric, spread: float, groups: int, gain: float
) -> None:
    plain, nearer, covered = rounds(metric, spread, groups, 3_600 // groups)

    assert nearer < gain * plain
    assert covered > 0.93


def test_the_fewer_the_answers_the_more_the_mean_weighs() -> None:
    n = np.array([4, 8, 40, 400, 4_000, 40])
    promoters = np.array([4, 2, 30, 100, 2_000, 10])
    zero = np.zeros(6, np.int64)

    found = shrink(Tallies(promoters, zero, n - promoters, zero, zero), CSAT)

    assert found is not None
    assert np.all(np.diff(found.weight[:5]) < 0)
    assert found.weight[4] < 0.01
    score = 100 * promoters / n
    between = np.minimum(score, found.centre), np.maximum(score, found.centre)
    assert np.all((between[0] <= found.score) & (found.score <= between[1]))
    assert np.all((found.low <= found.score) & (found.score <= found.high))


def test_wider_answers_weigh_less() -> None:
    zero = np.zeros(5, np.int64)
    tallies = Tallies(np.array([9, 5, 7, 2, 8]), zero, np.array([1, 5, 3, 8, 2]), zero, zero)

    plain, widened = shrink(tallies, CSAT), shrink(tallies, CSAT, np.full(5, 2.0))

    assert plain is not None
    assert widened is not None
    assert np.all(widened.weight > plain.weight)


@pytest.mark.parametrize(
    "promoters",
    [[5, 2, 3, 0], [1, 0, 1, 1, 0], []],
    ids=["three groups", "one answer each", "none"],
)
def test_where_nothing_can_be_learnt_from_others_nothing_is_drawn(promoters: list[int]) -> None:
    ones = np.array(promoters, np.int64)
    zero = np.zeros(len(ones), np.int64)
    others = np.where(ones > 1, ones, 0) if len(ones) == 4 else 1 - ones

    assert shrink(Tallies(ones, zero, others, zero, zero), CSAT) is None


def test_groups_that_all_agree_are_not_held_to_be_certain() -> None:
    zero = np.zeros(6, np.int64)

    found = shrink(Tallies(np.full(6, 3), zero, zero, zero, zero), CSAT)

    assert found is not None
    assert found.score.tolist() == [100.0] * 6
    assert np.all(found.low < 99)


def test_a_group_without_answers_has_no_score() -> None:
    zero = np.zeros(5, np.int64)

    found = shrink(
        Tallies(np.array([9, 5, 7, 2, 0]), zero, np.array([1, 5, 3, 8, 0]), zero, zero), CSAT
    )

    assert found is not None
    assert np.isnan(found.score).tolist() == [False] * 4 + [True]
