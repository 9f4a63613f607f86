"""NPS+ by hand, and what holds for any answers."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.domain.reasons import LEAST, account_of
from services.scoring.domain.shares import share_of
from services.scoring.domain.voices import SHOWN, Group, Voices
from shared.programme.metrics import Klass

LATE, RUDE, PRICE = 1, 2, 4
REASONS = ("late", "rude", "price")
HAND = Group(
    REASONS,
    0,
    {
        Klass.DETRACTOR: Voices([LATE, LATE | RUDE, PRICE, 0], [20, 10, 10, 5]),
        Klass.PASSIVE: Voices([LATE, RUDE, LATE | RUDE, PRICE, 0], [6, 2, 2, 10, 30]),
        Klass.PROMOTER: Voices([LATE, PRICE, 0], [2, 48, 50]),
    },
)


def test_the_example_in_the_documentation_by_hand() -> None:
    account = account_of(HAND)
    late = account.reasons[0]

    assert account.heard == {Klass.DETRACTOR: 40, Klass.PASSIVE: 20, Klass.PROMOTER: 50}
    assert late.counts == {Klass.DETRACTOR: 30, Klass.PASSIVE: 8, Klass.PROMOTER: 2}
    assert [one.shares[Klass.PASSIVE].share for one in account.reasons] == [0.4, 0.2, 0.5]  # type: ignore[union-attr]
    assert [one.rank[Klass.DETRACTOR] for one in account.reasons] == [1, 2, 2]
    assert [one.rank[Klass.PROMOTER] for one in account.reasons] == [2, None, 1]
    assert [one.overlap.share for one in account.reasons] == [0.4, 0.2, 0.25]  # type: ignore[union-attr]
    assert [one.of_detractors for one in account.reasons] == [True, True, False]
    # late, rude or both: 6 + 2 + 2 of the 20 passives who give any reason
    assert account.dropping == 10
    assert account.risk is not None
    assert account.risk.share == 0.5
    assert account.risk.interval == pytest.approx((0.29996, 0.70004), abs=1e-5)
    # of 22 and 50 mentions: late 8 and 30, rude 4 and 10, price 10 and 10
    assert account.overlap == pytest.approx(8 / 22 + 4 / 22 + 10 / 50)


def test_a_handful_of_detractors_makes_no_reason_theirs() -> None:
    few, enough = (
        Group(
            ("late",),
            0,
            {
                Klass.DETRACTOR: Voices([1], [count]),
                Klass.PASSIVE: Voices([1], [50]),
                Klass.PROMOTER: Voices([0, 2], [10, 990]),
            },
        )
        for count in (LEAST - 1, LEAST)
    )

    assert account_of(few).risk is None
    assert account_of(enough).risk is not None


def test_what_promoters_say_as_often_is_not_the_detractors_reason() -> None:
    same = Voices([1, 2], [300, 200])

    account = account_of(Group(("price", "late"), 0, dict.fromkeys(Klass, same)))

    assert [one.of_detractors for one in account.reasons] == [False, False]
    assert account.risk is None
    assert account.overlap == 1


def test_more_reasons_tested_together_must_each_be_clearer() -> None:
    def group(others: int) -> Group:
        masks = [1, *(1 << place for place in range(1, others + 1))]
        return Group(
            tuple(map(str, range(others + 1))),
            0,
            {
                Klass.DETRACTOR: Voices(masks, [19, *[81 // others] * others]),
                Klass.PROMOTER: Voices(masks, [7, *[93 // others] * others]),
            },
        )

    assert account_of(group(1)).reasons[0].of_detractors
    assert not account_of(group(15)).reasons[0].of_detractors


def test_promoters_who_are_not_asked_why_are_compared_by_all_their_answers() -> None:
    group = Group(
        ("late",),
        0,
        {Klass.DETRACTOR: Voices([1, 0], [40, 60]), Klass.PROMOTER: Voices([0], [100])},
    )

    (late,) = account_of(group).reasons

    assert late.of_detractors
    assert late.shares[Klass.PROMOTER] is None
    assert account_of(group).risk is None  # no passive said why


def test_what_is_not_named_counts_as_said_and_never_as_shared() -> None:
    unnamed = 1 << SHOWN
    group = Group(
        ("late",),
        7,
        {
            Klass.DETRACTOR: Voices([1 | unnamed, unnamed], [10, 10]),
            Klass.PASSIVE: Voices([1, unnamed], [5, 15]),
        },
    )

    account = account_of(group)

    assert account.heard == {Klass.DETRACTOR: 20, Klass.PASSIVE: 20, Klass.PROMOTER: 0}
    assert account.unnamed == {Klass.DETRACTOR: 20, Klass.PASSIVE: 15, Klass.PROMOTER: 0}
    assert account.overlap == pytest.approx(5 / 20)


def test_nobody_is_nothing_and_never_zero() -> None:
    account = account_of(Group())

    assert (account.risk, account.overlap, account.reasons) == (None, None, [])
    assert share_of(0, 0) is None


said = st.dictionaries(st.integers(0, 15), st.integers(1, 60), max_size=16)


@settings(max_examples=100)
@given(said, said, said)
def test_parts_add_up_and_any_of_several_is_at_least_each(
    bad: dict[int, int], passive: dict[int, int], good: dict[int, int]
) -> None:
    heard = dict(zip(Klass, (bad, passive, good), strict=True))
    classes = {klass: Voices([*said], [*said.values()]) for klass, said in heard.items()}
    account = account_of(Group(("a", "b", "c", "d"), 0, classes))

    for klass, masks in heard.items():
        one_by_one = Counter(mask for mask, count in masks.items() for _ in range(count))
        for place, reason in enumerate(account.reasons):
            assert reason.counts[klass] == sum(n for m, n in one_by_one.items() if m >> place & 1)
        assert account.heard[klass] == sum(n for mask, n in one_by_one.items() if mask)
    singles = [one.shares[Klass.PASSIVE] for one in account.reasons if one.of_detractors]
    for share in singles if account.risk else ():
        assert share is not None
        assert share.share <= account.risk.share <= 1  # type: ignore[union-attr]
        assert account.risk.share <= sum(one.share for one in singles if one) + 1e-12  # type: ignore[union-attr]
    if account.risk is not None:
        low, high = account.risk.interval
        assert 0 <= low <= account.risk.share <= high <= 1
    if account.overlap is not None:
        assert 0 <= account.overlap <= 1 + 1e-12


@given(said, said)
def test_voices_of_two_days_add_up(first: dict[int, int], second: dict[int, int]) -> None:
    both = Voices([*first, *second], [*first.values(), *second.values()])
    parts = [Voices([*one], [*one.values()]) for one in (first, second)]

    assert both.by_reason() == [
        left + right for left, right in zip(*(one.by_reason() for one in parts), strict=True)
    ]
    assert both.giving(5) == sum(one.giving(5) for one in parts)
    assert both.with_reasons == sum(one.with_reasons for one in parts)
