"""Where a score stands: only a whole interval says yes or no."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.domain.standing import Rank, Standing, ranks, standing
from shared.programme.models import Benchmark

SCORES = st.floats(-100, 100)
BENCHMARK = Benchmark(metric="nps", industry="Airlines", value=31, source="A survey", year=2024)


@pytest.mark.parametrize(
    ("interval", "met"),
    [
        ((40.0, 60.0), "yes"),
        ((39.9, 60.0), "unclear"),
        ((30.0, 40.0), "unclear"),
        ((30.0, 39.9), "no"),
    ],
)
def test_a_target_is_met_or_missed_by_the_whole_interval(
    interval: tuple[float, float], met: str
) -> None:
    assert standing(39.9, interval, 40.0) == Standing(40.0, 39.9 - 40.0, met)  # type: ignore[arg-type]


def test_without_a_target_there_is_nothing_to_meet_and_without_answers_nothing_is_met() -> None:
    assert standing(50.0, (40.0, 60.0), None) is None
    assert standing(None, None, 40.0) == Standing(40.0, None, None)
    assert standing(0.0, (-10.0, 10.0), 0.0) == Standing(0.0, 0.0, "unclear")


@pytest.mark.parametrize(
    ("interval", "stands"),
    [
        ((31.1, 60.0), "above"),
        ((31.0, 60.0), "level"),
        ((20.0, 31.0), "level"),
        ((20.0, 30.9), "below"),
    ],
)
def test_a_benchmark_within_the_interval_is_level(
    interval: tuple[float, float], stands: str
) -> None:
    (found,) = ranks(31.0, interval, [BENCHMARK])

    assert found == Rank("Airlines", 31, "A survey", 2024, 0.0, stands)  # type: ignore[arg-type]


def test_benchmarks_keep_their_order_and_stand_also_where_nobody_answered() -> None:
    other = BENCHMARK.model_copy(update={"industry": "Retail"})

    found = ranks(None, None, [other, BENCHMARK])

    assert [(one.industry, one.difference, one.stands) for one in found] == [
        ("Retail", None, None),
        ("Airlines", None, None),
    ]
    assert msgspec.json.decode(msgspec.json.encode(found[1])) == {
        "industry": "Airlines",
        "value": 31,
        "source": "A survey",
        "year": 2024,
        "difference": None,
        "stands": None,
    }


@given(SCORES, SCORES, SCORES)
def test_what_is_met_stays_met_under_a_lower_target(low: float, high: float, target: float) -> None:
    low, high = sorted((low, high))
    rank = {"no": 0, "unclear": 1, "yes": 2}

    found = [standing(low, (low, high), one) for one in (target, target - 1)]

    assert rank[str(found[0] and found[0].met)] <= rank[str(found[1] and found[1].met)]
