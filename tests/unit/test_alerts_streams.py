"""Which streams a leaf counts in."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.alerts.domain.state import NO_PARENT, FleetState
from services.alerts.domain.streams import Catalogue, LeafTick, gather, sum_within
from shared.segments import Lattice

LATTICE = Lattice(("region", "product", "channel"), (("product", "region"),))
EU_SHOES = '{"product":"shoes","region":"EU"}'


def test_a_leaf_counts_in_all_its_values_and_its_pairs() -> None:
    fleet, catalogue = FleetState.empty(), Catalogue(LATTICE)

    rows = catalogue.rows_of(EU_SHOES, fleet)

    named = [catalogue.segments[row] for row in rows.tolist()]
    assert named == ["{}", '{"region":"EU"}', '{"product":"shoes"}', EU_SHOES]
    assert fleet.level.tolist() == [0, 1, 1, 2]
    assert fleet.parent.tolist() == [NO_PARENT, 0, 0, 2]  # the pair's first dimension: product


def test_rows_stay_where_they_were_when_the_catalogue_is_read_again() -> None:
    fleet, catalogue = FleetState.empty(), Catalogue(LATTICE)
    rows = catalogue.rows_of(EU_SHOES, fleet)

    again = Catalogue(LATTICE, list(catalogue.segments))

    assert again.rows_of(EU_SHOES, fleet).tolist() == rows.tolist()
    assert len(fleet) == 4


def test_leaves_are_forgotten_and_found_again_in_the_same_rows() -> None:
    fleet, catalogue = FleetState.empty(), Catalogue(LATTICE, values_at_most=3, leaves_kept=2)
    leaves = [f'{{"region":"{value}"}}' for value in "abcdef"]

    once, again = ([catalogue.rows_of(leaf, fleet).tolist() for leaf in leaves] for _ in range(2))

    assert once == again == [[0, 1], [0, 2], [0, 3], [0, 4], [0, 4], [0, 4]]


def test_looking_ahead_admits_nothing() -> None:
    fleet, catalogue = FleetState.empty(), Catalogue(LATTICE)
    catalogue.rows_of('{"region":"EU"}', fleet)

    assert catalogue.known_rows_of(EU_SHOES).tolist() == [0, 1]
    assert len(catalogue.segments) == 2


def test_values_beyond_the_most_are_watched_together() -> None:
    fleet, catalogue = FleetState.empty(), Catalogue(LATTICE, values_at_most=2)
    for value in ("a", "b", "c", "d"):
        catalogue.rows_of(f'{{"region":"{value}"}}', fleet)

    assert catalogue.segments == [
        "{}", '{"region":"a"}', '{"region":"b"}', '{"region":"other"}',
    ]  # fmt: skip
    assert catalogue.full_dimensions() == ["region"]


parts = st.lists(
    st.tuples(
        st.lists(st.integers(0, 9), unique=True, min_size=1),
        st.integers(1, 50),
        st.integers(0, 50),
    ),
    max_size=12,
)


@settings(max_examples=50)
@given(parts)
def test_leaves_add_up_to_streams(leaves: list[tuple[list[int], int, int]]) -> None:
    index, answers, detractors = gather(
        (np.array(rows, np.intp), n, min(d, n)) for rows, n, d in leaves
    )

    expected: Counter[int] = Counter()
    hurt: Counter[int] = Counter()
    for rows, n, d in leaves:
        for row in rows:
            expected[row] += n
            hurt[row] += min(d, n)
    assert index.tolist() == sorted(expected)
    assert dict(zip(index.tolist(), answers.tolist(), strict=True)) == dict(expected)
    assert [hurt[row] for row in index.tolist()] == detractors.tolist()


def test_a_segment_sums_the_leaves_that_lie_in_it() -> None:
    ticks = [
        LeafTick(EU_SHOES, 10, 4),
        LeafTick('{"region":"EU"}', 3, 1),
        LeafTick('{"region":"US"}', 5, 0),
    ]

    assert sum_within(ticks, {"region": "EU"}) == (13, 5)
    assert sum_within(ticks, {}) == (18, 5)
