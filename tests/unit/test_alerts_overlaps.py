"""What many alerts explain of a stream is what it is, leaf by leaf."""

from random import Random

import pytest

from services.alerts.domain.causes import JOINS_AT, Crossed, is_fired_by_rest, share_within
from services.alerts.domain.leaves import Leaves
from services.alerts.domain.overlaps import Overlaps
from services.alerts.domain.places import Places

DRAW = Random(4)
SEGMENTS = [{"a": f"a{i % 7}", "b": f"b{i % 5}", "c": f"c{i % 3}"} for i in range(105)]
LEAVES = Leaves.of(
    [s if i % 9 else {"a": s["a"]} for i, s in enumerate(SEGMENTS)],
    [30.0] * 105, [float(DRAW.randint(2, 16)) for _ in range(105)], [0.2] * 105,
)  # fmt: skip
SLICES = [{}, {"a": "a1"}, {"b": "b2", "a": "a1"}, {"c": "c0", "b": "b4", "a": "a6"}, {"b": "b9"}]


def crossed(segment: dict[str, str], margin: float = 2.0) -> Crossed:
    return Crossed(
        segment=segment, rate=0.2, dispersion=1.5, margin=margin, answers=300.0, detractors=90.0
    )


@pytest.mark.parametrize("segment", [*SLICES, {"d": "d1"}, {"a": "a1", "d": "d1"}])
def test_places_are_those_of_the_leaves(segment: dict[str, str]) -> None:
    assert (
        Places.of(LEAVES).within(segment).tolist() == LEAVES.within(segment).nonzero()[0].tolist()
    )


@pytest.mark.parametrize("stream", SLICES[:4])
@pytest.mark.parametrize("held", SLICES)
@pytest.mark.parametrize("margin", [0.1, 40.0])
def test_one_alert_explains_what_its_slices_hold(
    stream: dict[str, str], held: dict[str, str], margin: float
) -> None:
    overlaps, stream_crossed = Overlaps(LEAVES), crossed(stream, margin)
    assert overlaps.view(stream_crossed).fires
    overlaps.hold("one", [held])

    view = overlaps.view(stream_crossed)

    inside = LEAVES.within(stream)
    before, after = LEAVES.sums(inside), LEAVES.explained_by([held]).sums(inside)
    if share_within(LEAVES, stream, [held]) > 0:
        mostly = before.excess - after.excess >= JOINS_AT * before.excess
        assert (view.held, view.joins) == (("one",), "one" if mostly else None)
        assert view.fires == is_fired_by_rest(stream_crossed, before, after)
    else:
        assert view.fires
        assert view.held == ()


def test_the_alert_that_holds_most_of_a_stream_is_joined() -> None:
    overlaps = Overlaps(LEAVES)
    for name, held in (
        ("part", {"a": "a1", "b": "b2"}),
        ("most", {"a": "a1"}),
        ("other", {"a": "a3"}),
    ):
        overlaps.hold(name, [held])

    view = overlaps.view(crossed({"a": "a1"}))

    assert view.joins == "most"
    assert view.beside == ("part", "most")
