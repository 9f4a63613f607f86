"""What the programme says about scores: targets, benchmarks, gauges, clusters."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.programme.loading import load_programme
from shared.programme.models import Programme, Scoring, Segmentation

SHIPPED = Path(__file__).parents[2] / "programme"
BENCHMARK = {"metric": "nps", "industry": "Retail", "value": 28, "source": "A survey", "year": 2023}
SEGMENTS = Segmentation.model_validate(
    {
        "dimensions": {"region": {}, "product": {}, "queue": {}},
        "targets": [
            {"metric": "nps", "value": 1},
            {"metric": "nps", "survey": "after", "value": 2},
            {"metric": "nps", "segment": {"region": "EU"}, "value": 3},
            {"metric": "nps", "segment": {"region": "EU"}, "survey": "after", "value": 0},
            {"metric": "csat", "segment": {"region": "EU", "queue": 7}, "value": 5},
        ],
    }
)


@pytest.fixture(scope="module")
def programme() -> Programme:
    return load_programme(SHIPPED)


@pytest.mark.parametrize(
    ("metric", "survey", "segment", "target"),
    [
        ("nps", "after", {"region": "EU"}, 0),
        ("nps", "other", {"region": "EU"}, 3),
        ("nps", None, {"region": "EU"}, 3),
        ("nps", "after", {"region": "US"}, 2),
        ("nps", "after", {"product": "X", "region": "EU"}, 2),
        ("nps", "after", {}, 2),
        ("nps", "other", {}, 1),
        ("nps", None, {}, 1),
        ("csat", None, {"queue": "7", "region": "EU"}, 5),
        ("csat", None, {"region": "EU"}, None),
        ("ces", None, {}, None),
    ],
)
def test_the_most_specific_target_applies(
    metric: str, survey: str | None, segment: dict[str, str], target: float | None
) -> None:
    assert SEGMENTS.target_for(metric, survey, segment) == target


def test_silence_means_thirty_answers_clusters_by_day_and_nothing_else() -> None:
    silent = Segmentation()

    assert (silent.clusters, silent.gauges, silent.targets) == (("day",), (), ())
    assert (Scoring().sufficient, Scoring().benchmarks) == (30, ())
    assert Segmentation.model_validate({"clusters": []}).clusters == ()


def test_a_benchmark_stands_once_and_its_source_may_be_a_citation() -> None:
    other = {**BENCHMARK, "year": 2022}

    found = Scoring.model_validate({"benchmarks": [BENCHMARK, other]})
    assert [one.year for one in found.benchmarks_of("nps")] == [2023, 2022]
    assert found.benchmarks_of("csat") == ()
    with pytest.raises(ValidationError, match="'Retail' stands twice"):
        Scoring.model_validate({"benchmarks": [BENCHMARK, {**BENCHMARK, "value": 29}]})


@pytest.mark.parametrize("value", [True, "28", "nan", float("nan"), float("inf"), None])
def test_a_score_is_a_possible_number(value: object) -> None:
    with pytest.raises(ValidationError):
        Scoring.model_validate({"benchmarks": [{**BENCHMARK, "value": value}]})


@pytest.mark.parametrize(("name", "most"), [("gauges", 20), ("targets", 200)])
def test_there_is_a_limit_to_everything(name: str, most: int) -> None:
    rows = [
        {"metric": "nps", **({"value": 1, "survey": f"s{n}"} if name == "targets" else {})}
        for n in range(most + 1)
    ]

    assert len(getattr(Segmentation.model_validate({name: rows[:-1]}), name)) == most
    with pytest.raises(ValidationError, match=f"at most {most} items"):
        Segmentation.model_validate({name: rows})


def test_the_default_programme_says_what_it_wants(programme: Programme) -> None:
    segments = programme.segments

    assert programme.scores.sufficient == 30
    assert {(gauge.metric, gauge.by, gauge.length) for gauge in segments.gauges} == {
        ("nps", ("region",), timedelta(hours=24)),
        ("csat", ("region",), timedelta(hours=24)),
    }
    for survey in programme.surveys.values():
        assert segments.target_for(survey.metric, survey.key, {}) is not None
    assert all(one.source.startswith("https://") for one in programme.scores.benchmarks)
    assert {one.metric for one in programme.scores.benchmarks} == {"nps", "csat"}
