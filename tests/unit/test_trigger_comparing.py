"""What an experiment's counts say."""

from collections.abc import Mapping

import pytest

from services.trigger.domain.comparing import (
    Counted,
    compare,
    rate_of,
    score_of,
    sentences,
)
from shared.programme.metrics import Metric, find_metric

NPS, CES = find_metric("nps", (0, 10)), find_metric("ces", (1, 7))


@pytest.mark.parametrize(
    ("metric", "points", "score"),
    [
        (NPS, {0: 10, 6: 10, 7: 20, 9: 30, 10: 30}, 40.0),
        (find_metric("csat", (1, 5)), {1: 25, 3: 25, 4: 25, 5: 25}, 50.0),
        (CES, {1: 50, 7: 50}, 4.0),
    ],
)
def test_a_score_is_that_of_its_metric(
    metric: Metric, points: Mapping[int, int], score: float
) -> None:
    found = score_of(Counted(points=points), metric)

    assert found.n == 100
    assert found.mean == pytest.approx(score)
    assert found.interval is not None
    assert found.interval[0] < score < found.interval[1]


def test_nothing_counted_is_no_number() -> None:
    found = rate_of(Counted(invited=7))

    assert (found.n, found.mean, found.interval) == (0, None, None)
    (compared,) = compare({"a": Counted(), "b": Counted()}, NPS)
    assert compared.rate.interval is None
    assert compared.score.difference is None
    assert not compared.rate.decided
    assert compare({"a": Counted()}, NPS) == ()


def test_a_difference_is_that_of_the_further_variant_to_the_first() -> None:
    better = Counted(rates={(0, 1): 300, (1, 0): 100, (1, 1): 100, (0, 0): 500}, scores={(7, 3): 9})

    (compared,) = compare({"a": Counted(), "b": better}, CES)

    assert (compared.first, compared.variant) == ("a", "b")
    assert (compared.rate.pairs, compared.score.pairs) == (1000, 9)
    assert compared.rate.difference == pytest.approx(0.2)
    assert compared.score.difference == pytest.approx(-4)
    assert compared.rate.decided


def test_what_is_compared_more_often_is_decided_later() -> None:
    better = Counted(rates={(0, 1): 300, (1, 0): 200, (0, 0): 500})

    (alone,) = compare({"a": Counted(), "b": better}, NPS)
    beside, _ = compare({"a": Counted(), "b": better, "c": better}, NPS)

    assert alone.rate.interval is not None
    assert beside.rate.interval is not None
    assert beside.rate.interval[0] < alone.rate.interval[0]
    assert beside.rate.interval[1] > alone.rate.interval[1]


def test_it_is_said_in_a_sentence() -> None:
    brought = Counted(rates={(0, 1): 300, (1, 0): 100, (0, 0): 600}, scores={(10, 9): 50})

    rate, score = sentences(compare({"a": Counted(), "b": brought}, NPS), NPS)

    assert rate.startswith("The response rate of b is higher than that of a, by 1")
    assert rate.endswith(" points (1000 customers of each).")
    assert score.startswith("No difference in the score is proven yet: b less a lies between -")
