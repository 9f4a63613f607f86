"""What is behind a rise."""

import numpy as np
import pytest

from services.alerts.domain.candidates import Least
from services.alerts.domain.causes import (
    Crossed,
    Remark,
    grown_reasons,
    is_fired_by_rest,
    is_inside,
    locate,
    sample,
    share_out,
    share_within,
)
from services.alerts.domain.leaves import Leaves, Sums
from services.alerts.domain.normal import Scene, build_scene
from services.alerts.domain.streams import LeafTick

EU_SHOES, EU_HATS, US_SHOES = (
    f'{{"product":"{product}","region":"{region}"}}'
    for region, product in (("EU", "shoes"), ("EU", "hats"), ("US", "shoes"))
)
SLICE = {"region": "EU", "product": "shoes"}
EU = {"region": "EU"}
SHOES = {"product": "shoes"}
LEAST = Least(20, 8)


def scene_of(eu_shoes: int, eu_hats: int, us_shoes: int) -> Scene:
    """A hundred answers in each of three leaves; before, a tenth of a thousand were detractors."""
    counts = {EU_SHOES: eu_shoes, EU_HATS: eu_hats, US_SHOES: us_shoes}
    now = [LeafTick(leaf, 100, hurt) for leaf, hurt in counts.items()]
    return build_scene(now, [LeafTick(leaf, 1_000, 100) for leaf in counts], 0.1, {})


ONE_FAULT = scene_of(60, 10, 10)
TWO_FAULTS = scene_of(35, 80, 10)


def crossed(segment: dict[str, str], margin: float = 1.0, detractors: float = 60) -> Crossed:
    return Crossed(
        segment=segment, rate=0.1, dispersion=1.5, margin=margin, answers=100, detractors=detractors
    )


@pytest.mark.parametrize("stream", [{}, EU, SHOES, SLICE])
def test_whatever_stream_crossed_the_slice_at_fault_is_named(stream: dict[str, str]) -> None:
    found = locate(ONE_FAULT, crossed(stream), [], LEAST)

    assert found is not None
    assert [(one.segment, one.share) for one in found.slices] == [(SLICE, 1.0)]
    assert found.explains == 1.0


def test_a_stream_names_only_slices_that_are_behind_its_own_rise() -> None:
    hats = {"region": "EU", "product": "hats"}
    of_eu = locate(TWO_FAULTS, crossed(EU), [], LEAST)
    of_shoes = locate(TWO_FAULTS, crossed(SHOES), [], LEAST)

    assert of_eu is not None
    assert of_eu.slices[0].segment == EU
    assert of_shoes is not None
    assert hats not in [one.segment for one in of_shoes.slices]


def test_what_other_alerts_explain_is_not_explained_again() -> None:
    assert locate(ONE_FAULT, crossed(EU), [SLICE], LEAST) is None


def test_a_slice_of_too_few_answers_is_named_by_its_parent() -> None:
    segments = [{"region": r, "queue": q} for r in ("EU", "US") for q in "abcdefgh"]
    hurt = np.array([9.0] * 8 + [1.0] * 8)
    leaves = Leaves.of(segments, np.full(16, 10.0), hurt, np.full(16, 0.1))
    stream = crossed({"queue": "a"})

    found = locate(Scene(leaves, np.full(16, 100.0)), stream, [], LEAST)

    assert found is not None
    assert found.slices[0].segment == {"region": "EU"}


def test_shares_are_of_all_excess() -> None:
    shares = share_out(TWO_FAULTS.leaves, [{"region": "EU", "product": "hats"}])

    assert shares.explains == pytest.approx(70 / 95, abs=0.01)
    assert share_within(TWO_FAULTS.leaves, EU, [SHOES]) == pytest.approx(25 / 95, abs=0.01)
    assert share_within(ONE_FAULT.leaves, {"region": "US"}, [EU]) == 0.0


def test_a_stream_fires_by_the_rest_if_its_evidence_outlives_what_is_explained() -> None:
    seen = Sums(100, 60, 10)

    assert is_fired_by_rest(crossed(SHOES), seen, seen)
    assert not is_fired_by_rest(crossed(SHOES), seen, seen._replace(expected=40))
    assert is_fired_by_rest(crossed(SHOES, margin=60), seen, seen._replace(expected=40))
    assert not is_fired_by_rest(crossed(SHOES, margin=60), seen, seen._replace(expected=61))


def test_within_an_alert_only_what_rose_as_much_as_it_is_part_of_it() -> None:
    assert is_inside(crossed(SLICE, detractors=30), EU, 0.1, 0.3)
    assert not is_inside(crossed(SLICE, margin=70, detractors=90), EU, 0.1, 0.3)
    assert not is_inside(crossed(EU, detractors=30), SLICE, 0.1, 0.3)


def test_a_leaf_without_a_past_starts_at_its_parents() -> None:
    new = '{"product":"boots","region":"EU"}'
    before = [LeafTick(EU_SHOES, 5_000, 2_500), LeafTick(US_SHOES, 5_000, 250)]
    scene = build_scene([LeafTick(new, 10, 5), LeafTick(US_SHOES, 10, 1)], before, 0.2, {})

    assert scene.leaves.rates == pytest.approx([0.45, 0.05], abs=0.08)
    assert scene.mass.tolist() == [0, 5_000]


def test_what_the_detector_holds_normal_stands_above_the_past() -> None:
    before = [LeafTick(EU_SHOES, 5_000, 500), LeafTick(US_SHOES, 5_000, 500)]
    now = [LeafTick(EU_SHOES, 100, 30), LeafTick(US_SHOES, 100, 10)]

    accepted = build_scene(now, before, 0.1, {("region", "EU"): 0.3})

    assert accepted.leaves.rates == pytest.approx([0.3, 0.1], abs=0.02)


def test_a_value_that_was_rare_lately_has_the_share_that_is_known_of_it() -> None:
    before = [LeafTick(EU_SHOES, 5_000, 500), LeafTick(US_SHOES, 4, 3)]
    now = [LeafTick(EU_SHOES, 100, 15), LeafTick(US_SHOES, 25, 21)]
    known = {("region", "US"): 0.85, ("region", "EU"): 0.1}

    scene = build_scene(now, before, 0.1, known)

    assert scene.leaves.rates == pytest.approx([0.1, 0.85], abs=0.02)
    assert locate(scene, crossed({}), [], LEAST) is None


def test_reasons_that_grew_are_named_and_reasons_that_are_common_are_not() -> None:
    before = [Remark(("price",), None)] * 40 + [Remark(("late",), None)] * 10
    now = [Remark(("price",), None)] * 25 + [Remark(("late", "late"), None)] * 25
    elsewhere = [Remark(("late",), None)] * 5 + [Remark((), None)] * 45

    (only,) = grown_reasons(now, before, [*now, *elsewhere])

    assert (only.reason, only.share, only.change, only.n) == ("late", 0.5, 0.3, 25)
    assert only.elsewhere == 0.1
    assert only.interval == pytest.approx((0.11, 0.46), abs=0.01)


def test_a_sure_growth_comes_before_a_large_one_of_two_people() -> None:
    before = [Remark(("price",), None)] * 100
    few = [Remark(("odd",), None)] * 2 + [Remark(("late",), None)] * 28 + [Remark((), None)] * 2

    assert [one.reason for one in grown_reasons(few, before)] == ["late", "odd"]
    assert grown_reasons([Remark(("odd",), None)], before) == ()


def test_a_few_different_comments_are_shown() -> None:
    texts = ("late", " Late ", None, "", "x" * 999, "rude", "no")

    assert sample([Remark((), text) for text in texts]) == ("late", "x" * 300, "rude")
