from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.scoring.domain.scores import point_of, score_of
from shared.programme.metrics import METRICS, Klass, Metric, ScoreKind, find_metric
from shared.tally import Tally, tally_points

metrics = st.sampled_from(METRICS)


@st.composite
def two_sets(draw: Any) -> Any:
    metric = draw(metrics)
    scores = st.lists(st.sampled_from(metric.points), max_size=40)
    return metric, draw(scores), draw(scores)


def tally(metric: Metric, scores: list[int]) -> Tally:
    return tally_points(metric, [scores.count(point) for point in metric.points])


@given(two_sets())
def test_parts_add_up_to_the_whole(sets: Any) -> None:
    metric, left, right = sets

    whole = tally(metric, left + right)

    assert tally(metric, left) + tally(metric, right) == whole
    assert whole.n == len(left) + len(right)


@given(two_sets())
def test_scores_equal_a_recount_of_the_answers(sets: Any) -> None:
    metric, scores, _ = sets
    promoters = sum(metric.class_of(score) is Klass.PROMOTER for score in scores)
    detractors = sum(metric.class_of(score) is Klass.DETRACTOR for score in scores)

    found = point_of(tally(metric, scores), metric)

    if not scores:
        assert found is None
    elif metric.score is ScoreKind.NET:
        assert found == 100 * (promoters - detractors) / len(scores)
    elif metric.score is ScoreKind.TOP_SHARE:
        assert found == 100 * promoters / len(scores)
    else:
        assert found == sum(scores) / len(scores)


@given(two_sets())
def test_an_interval_holds_its_score_and_stays_on_the_scale(sets: Any) -> None:
    metric, scores, _ = sets

    found = score_of(tally(metric, scores), metric, sufficient=10)

    if found.interval is not None and found.score is not None:
        low, high = found.interval
        assert low <= found.score <= high
        assert low < high
        assert low >= -100
        assert high <= 100
    assert found.sufficient is (len(scores) >= 10)


def test_answers_of_different_scales_share_classes_but_no_distribution() -> None:
    five = tally(find_metric("csat", (1, 5)), [5, 1])
    ten = tally(find_metric("csat", (1, 10)), [10, 6, 1])

    both = five + ten

    assert (both.promoters, both.passives, both.detractors) == (2, 1, 2)
    assert both.distribution is None
    assert (both + Tally()).distribution is None


def test_nobody_answered_is_no_number_at_all() -> None:
    nps = METRICS[0]

    found = score_of(Tally(), nps)

    assert (found.score, found.interval, found.sufficient) == (None, None, False)
