"""What is behind a rise."""

import pytest

from services.alerts.domain.causes import (
    Expected,
    Remark,
    explained_share,
    grown_reasons,
    sample,
    share_inside,
)
from services.alerts.domain.streams import LeafTick

EU_SHOES, EU_HATS, US_SHOES = (
    f'{{"product":"{product}","region":"{region}"}}'
    for region, product in (("EU", "shoes"), ("EU", "hats"), ("US", "shoes"))
)
SLICE = Expected({"region": "EU", "product": "shoes"}, 0.1)
EU = Expected({"region": "EU"}, 0.1)
SHOES = Expected({"product": "shoes"}, 0.1)
ALL = Expected({}, 0.1)
ONE_FAULT = [LeafTick(EU_SHOES, 100, 60), LeafTick(EU_HATS, 100, 10), LeafTick(US_SHOES, 100, 10)]
TWO_FAULTS = [LeafTick(EU_SHOES, 100, 30), LeafTick(EU_HATS, 100, 80), LeafTick(US_SHOES, 100, 10)]


@pytest.mark.parametrize("crossed", [EU, SHOES, ALL])
def test_a_parent_that_crossed_because_of_a_slice_is_explained_by_it(crossed: Expected) -> None:
    assert share_inside(ONE_FAULT, crossed, SLICE) == pytest.approx(1.0)


@pytest.mark.parametrize("held", [EU, SHOES, ALL])
def test_what_lies_inside_an_alert_is_explained_by_it(held: Expected) -> None:
    assert share_inside(ONE_FAULT, SLICE, held) == 1.0


def test_a_neighbour_is_explained_by_what_both_share() -> None:
    assert share_inside(ONE_FAULT, SHOES, EU) == 1.0
    assert share_inside(TWO_FAULTS, EU, SHOES) == pytest.approx(20 / 90)


def test_strangers_explain_nothing() -> None:
    assert share_inside(ONE_FAULT, Expected({"region": "US"}, 0.1), EU) == 0.0


def test_a_slice_explains_its_share_of_all_excess() -> None:
    assert explained_share(ONE_FAULT, SLICE, ALL) == pytest.approx(1.0)
    assert explained_share(TWO_FAULTS, SLICE, ALL) == pytest.approx(20 / 90)
    assert explained_share(ONE_FAULT, Expected({"product": "hats"}, 0.1), ALL) == 0.0


def test_reasons_that_grew_come_before_reasons_that_are_common() -> None:
    before = [Remark(("price",), None)] * 8 + [Remark(("late",), None)] * 2
    now = [Remark(("price",), None)] * 5 + [Remark(("late", "late"), None)] * 5

    first, second = grown_reasons(now, before)

    assert (first.reason, first.share, first.change) == ("late", 0.5, 0.3)
    assert (second.reason, second.change) == ("price", -0.3)


def test_a_few_different_comments_are_shown() -> None:
    remarks = [Remark((), text) for text in ("late", " late ", None, "", "x" * 999, "rude", "no")]

    assert sample(remarks) == ("late", "x" * 300, "rude")
