"""Segments: cleaning, freezing, cells and keys; durations."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.durations import format_duration, parse_duration
from shared.segments import (
    Lattice,
    answer_segments,
    cells,
    clean_segments,
    clean_value,
    frozen_segments,
    read_segment_key,
    segment_key,
)

DIMENSIONS = {"region": None, "queue": "call.queue", "touchpoint": "touchpoint"}
# any text but surrogates; to ask for UTF-8 by name tries each character first, for seconds
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
mappings = st.dictionaries(st.sampled_from(["region", "queue", "agent", "x"]), texts)


@pytest.mark.parametrize(
    ("written", "clean"),
    [
        ("  EU ", "EU"),
        ("Air\u00a0 \u00a0Canada", "Air Canada"),
        ("a\tb\nc", "a b c"),
        ("a\x00b\x07", "ab"),
        ("a \x00 b", "a b"),
        ("\ud800x", "x"),
        ("ตอบ ช้า", "ตอบ ช้า"),
        (" \u00a0\x00 ", None),
        ("", None),
        ("x" * 101, "x" * 100),
        ("x" * 99 + " y", "x" * 99),
    ],
)
def test_a_value_is_cleaned(written: str, clean: str | None) -> None:
    assert clean_value(written) == clean


@settings(max_examples=200)
@given(st.text(alphabet=st.characters(), max_size=120))
def test_a_clean_value_is_trimmed_short_storable_and_stays_as_it_is(written: str) -> None:
    clean = clean_value(written)

    if clean is not None:
        assert clean_value(clean) == clean
        assert 1 <= len(clean) <= 100
        assert clean == clean.strip()
        assert not any(left.isspace() and right.isspace() for left, right in pairwise(clean))
        assert "\x00" not in clean
        clean.encode()


def test_what_is_no_value_is_absent() -> None:
    written = {
        "region": " EU ",
        "store": 17,
        "vip": True,
        "rate": 1.5,
        "none": None,
        "l": ["x"],
        3: "x",
    }

    assert clean_segments(written) == {"region": "EU", "store": "17"}
    assert clean_segments("EU") == {}
    assert clean_segments(None) == {}


def test_segments_are_frozen_by_the_paths_of_the_event() -> None:
    data = {
        "call": {"queue": " billing ", "agent": "a-7"},
        "touchpoint": "support-call",
        "segments": {"region": "EU", "campaign": "autumn", "queue": "other"},
    }

    assert frozen_segments(DIMENSIONS, data) == {
        "region": "EU",
        "campaign": "autumn",
        "queue": "billing",
        "touchpoint": "support-call",
    }


@pytest.mark.parametrize("data", [{}, {"call": "x"}, {"call": {"queue": None}, "segments": 3}])
def test_an_event_without_values_is_in_no_segment(data: dict[str, object]) -> None:
    assert frozen_segments(DIMENSIONS, data) == {}


def test_an_uninvited_answer_brings_its_segments_and_its_touchpoint() -> None:
    segments = {"region": "EU", "queue": "billing"}

    assert answer_segments(DIMENSIONS, segments, " kiosk ") == {**segments, "touchpoint": "kiosk"}
    assert answer_segments(DIMENSIONS, segments, None) == segments


def test_an_answer_counts_in_all_singles_and_configured_pairs() -> None:
    segments = {"region": "EU", "product": "shoes", "x": "y"}

    found = cells(
        segments, ["region", "product", "queue"], [("region", "product"), ("region", "queue")]
    )

    assert found == [
        {},
        {"region": "EU"},
        {"product": "shoes"},
        {"product": "shoes", "region": "EU"},
    ]


@given(mappings)
def test_a_key_is_one_text_per_segment_and_can_be_read_back(segment: dict[str, str]) -> None:
    turned = dict(reversed(segment.items()))

    assert segment_key(segment) == segment_key(turned)
    assert read_segment_key(segment_key(segment)) == segment


@given(mappings)
def test_the_lattice_gives_the_keys_of_the_cells(segments: dict[str, str]) -> None:
    lattice = Lattice(("region", "queue", "agent"), (("region", "queue"), ("queue", "agent")))

    wanted = [segment_key(cell) for cell in cells(segments, lattice.dimensions, lattice.pairs)]

    assert list(lattice.keys(segments)) == wanted
    assert len(set(wanted)) == len(wanted)
    assert "x" not in read_segment_key(lattice.leaf(segments))


def test_a_key_is_sorted_compact_and_readable() -> None:
    assert segment_key({"region": "서울", "product": "a"}) == '{"product":"a","region":"서울"}'


@given(st.integers(0, 10**13).map(lambda n: timedelta(milliseconds=n)))
def test_a_duration_reads_back(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize(
    "text", ["", "5", "m", "1.5h", "-1s", "5 m", "1h30m", "5w", "999999999999d"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)
