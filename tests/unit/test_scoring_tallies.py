"""A batch's cells, against counting them one by one."""

from collections import defaultdict
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.domain.tallies import OTHER, Places, tally

WIDTH = 3
SLICES = {"": (), "a": (0,), "b": (1,), "a,b": (0, 1), "c": (2,), "b,c": (1, 2)}
KINDS = ("up", "down", "level")

SPOTS = st.tuples(st.sampled_from(["nps", "ces"]), st.integers(0, 2), st.sampled_from(KINDS))
VALUES = st.tuples(*[st.sampled_from([None, "x", "y", "z"])] * WIDTH)
BATCHES = st.lists(st.tuples(SPOTS, VALUES), max_size=30)

Batch = list[tuple[tuple[str, int, str], tuple[str | None, ...]]]
Cell = tuple[str, tuple[str, int], tuple[str, ...]]


def places(batch: Batch) -> Places[tuple[str, int, str]]:
    return Places.of([spot for spot, _ in batch], [values for _, values in batch], WIDTH)


def one_by_one(come: Batch, left: Batch) -> dict[Cell, list[int]]:
    cells: defaultdict[Cell, list[int]] = defaultdict(lambda: [0] * len(KINDS))
    for (batch, sign), (name, positions) in product(((come, 1), (left, -1)), SLICES.items()):
        for (metric, hour, kind), values in batch:
            at = tuple(value for p in positions if (value := values[p]) is not None)
            if len(at) == len(positions):
                cells[name, (metric, hour), at][KINDS.index(kind)] += sign
    return {cell: sums for cell, sums in cells.items() if any(sums)}


@given(come=BATCHES, left=BATCHES)
@settings(max_examples=150)
def test_cells_are_what_counting_one_by_one_gives(come: Batch, left: Batch) -> None:
    told = list(tally(places(come), places(left), SLICES, KINDS))
    found = {(one.slice, one.place, one.values): one.sums for one in told}
    assert len(found) == len(told)
    assert found == one_by_one(come, left)


def test_many_values_of_two_dimensions_are_told_apart() -> None:
    batch: Batch = [
        (("nps", 0, "up"), (f"a{n}", f"b{m}", None)) for n, m in product(range(60), range(70))
    ]
    found = [one for one in tally(places(batch), places([]), SLICES, KINDS) if one.slice == "a,b"]
    assert len({one.values for one in found}) == 60 * 70
    assert {tuple(one.sums) for one in found} == {(1, 0, 0)}


def test_a_value_without_room_counts_as_other() -> None:
    batch: Batch = [(("nps", 0, "up"), ("x", "y", None)), (("nps", 0, "up"), ("z", "y", None))]
    found = tally(places(batch).capped([{"z"}, set(), set()]), places([]), {"a": (0,)}, KINDS)
    assert sorted((one.values, one.sums) for one in found) == [
        ((OTHER,), [1, 0, 0]),
        (("x",), [1, 0, 0]),
    ]
