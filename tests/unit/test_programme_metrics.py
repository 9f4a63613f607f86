"""The one table of metrics."""

import pytest

from shared.programme.metrics import METRICS, Klass, UnknownMetric, find_metric, scales_of

# contracts: detractors, passives, promoters of each metric and scale
CONTRACT = {
    ("nps", (0, 10)): (range(7), range(7, 9), range(9, 11)),
    ("csat", (1, 5)): (range(1, 3), range(3, 4), range(4, 6)),
    ("csat", (1, 10)): (range(1, 5), range(5, 9), range(9, 11)),
    ("ces", (1, 7)): (range(1, 4), range(4, 5), range(5, 8)),
}


@pytest.mark.parametrize("key", CONTRACT)
def test_every_point_has_the_class_of_the_contract(key: tuple[str, tuple[int, int]]) -> None:
    metric = find_metric(*key)

    by_class = {klass: [p for p in metric.points if metric.class_of(p) is klass] for klass in Klass}

    assert tuple(by_class.values()) == tuple(map(list, CONTRACT[key]))


def test_the_table_holds_what_the_contract_names() -> None:
    assert {(metric.name, metric.scale) for metric in METRICS} == set(CONTRACT)


@pytest.mark.parametrize("score", [-1, 11])
def test_a_score_outside_the_scale_has_no_class(score: int) -> None:
    with pytest.raises(ValueError, match="0 to 10"):
        find_metric("nps", (0, 10)).class_of(score)


@pytest.mark.parametrize("name", ["stars", ""])
def test_an_unknown_metric_names_those_that_are_known(name: str) -> None:
    with pytest.raises(UnknownMetric, match="nps, csat, ces"):
        scales_of(name)


def test_a_metric_on_another_scale_names_what_is_accepted() -> None:
    with pytest.raises(UnknownMetric, match=r"nps on 1-5 .*csat 1-10"):
        find_metric("nps", [1, 5])
