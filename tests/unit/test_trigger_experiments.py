"""Who is in which variant, and what a variant's numbers say."""

from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from scipy.stats import chi2, chi2_contingency

from services.trigger.domain.comparing import (
    Counted,
    compare,
    rate_of,
    score_of,
    sentences,
)
from services.trigger.domain.experiments import assigned, mail_texts
from services.trigger.domain.samples import in_sample
from shared.programme.metrics import Metric, find_metric
from shared.programme.models import Mail
from shared.programme.texts import Texts
from shared.programme.triggers import Experiment, Variant

CUSTOMERS = [f"c-{number}" for number in range(12_000)]
NPS, CES = find_metric("nps", (0, 10)), find_metric("ces", (1, 7))
TINY = 1e-4
PINNED = ["short", "short", "long", "long", "short", "long", "short", "short"]


def experiment(*variants: str, name: str = "subject-line") -> Experiment:
    return Experiment(name=name, variants=dict.fromkeys(variants, Variant()))


@pytest.mark.parametrize("variants", ["ab", "abc", "abcdefghij"])
def test_every_variant_has_an_equal_share(variants: str) -> None:
    shares = Counter(assigned(experiment(*variants), customer) for customer in CUSTOMERS)

    expected = len(CUSTOMERS) / len(variants)
    distance = sum((shares[one] - expected) ** 2 / expected for one in variants)
    assert distance < chi2.isf(TINY, len(variants) - 1)


def test_a_customer_stays_in_the_variant() -> None:
    known = [assigned(experiment("short", "long"), customer) for customer in CUSTOMERS[:8]]

    assert known == PINNED
    turned = experiment("long", "short")
    assert all(
        assigned(turned, customer) == assigned(experiment("short", "long"), customer)
        for customer in CUSTOMERS[:500]
    )


def test_a_further_variant_takes_its_share_and_moves_nobody_else() -> None:
    moved = Counter(
        (assigned(experiment("a", "b"), one), assigned(experiment("a", "b", "c"), one))
        for one in CUSTOMERS
    )

    assert set(moved) == {("a", "a"), ("b", "b"), ("a", "c"), ("b", "c")}
    assert 0.31 < (moved["a", "c"] + moved["b", "c"]) / len(CUSTOMERS) < 0.36


def independent(left: Sequence[object], right: Sequence[object]) -> bool:
    table = Counter(zip(left, right, strict=True))
    rows = [[table[one, other] for other in set(right)] for one in set(left)]
    return float(chi2_contingency(rows).pvalue) > TINY


@pytest.mark.parametrize("share", [0.1, 0.5])
@pytest.mark.parametrize("trigger", ["after-call", "subject-line"])
def test_the_sample_says_nothing_about_the_variant(trigger: str, share: float) -> None:
    variants = [assigned(experiment("a", "b"), customer) for customer in CUSTOMERS]
    sampled = [in_sample(customer, trigger, share) for customer in CUSTOMERS]

    assert independent(variants, sampled)


def test_one_experiment_says_nothing_about_another() -> None:
    one, other = experiment("a", "b"), experiment("a", "b", name="send-time")

    assert independent(
        [assigned(one, customer) for customer in CUSTOMERS],
        [assigned(other, customer) for customer in CUSTOMERS],
    )


def test_a_variant_without_a_text_has_the_surveys() -> None:
    first, second = Texts({"en": "One"}, "en"), Texts({"en": "Two"}, "en")

    found = mail_texts(Mail(subject=first, intro=first), Mail(subject=second))

    assert (found.subject, found.intro, found.button) == (second, first, None)
    assert mail_texts(found, None) is found


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
