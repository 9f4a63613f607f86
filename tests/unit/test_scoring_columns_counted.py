"""What a stretch was counted for once is what it is counted for again, in bounded memory."""

import tracemalloc
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.store.columns import finding
from services.scoring.store.columns.counted import Cells, Counted
from services.scoring.store.columns.entries import Entries, Stretch
from services.scoring.store.columns.finding import Found, Wanted, find, find_whole

_ENTRY = st.tuples(
    st.integers(0, 12),  # column
    st.integers(0, 1),  # kind
    st.integers(0, 2),  # survey
    st.integers(0, 2),  # values of two dimensions, 0 where there is none
    st.integers(0, 1),
)
Drawn = list[tuple[int, int, int, int, int]]


def stretch_of(drawn: Drawn) -> Stretch:
    columns = np.array(drawn, np.uint8).reshape(-1, 5).T
    time = np.arange(len(drawn), dtype=np.int64)
    column, kind, survey, first, second = columns
    return Stretch(0, 99, Entries(time, time[::-1], column, kind, survey, (first, second)))


def wanted_of(
    survey: int | None, by: list[int], edges: Sequence[int] = (0, 999), on_event: bool = False
) -> Wanted:
    sizes = [(3, 2)[place] for place in by]
    return Wanted(np.array(edges, np.int64), on_event, survey, [], by, sizes)


def cells(found: Found) -> dict[tuple[int, int, int], int]:
    counted: dict[tuple[int, int, int], int] = {}
    counts = np.ones(len(found.segments), int) if found.counts is None else found.counts
    for *cell, n in zip(found.segments, found.windows, found.columns, counts, strict=True):
        key = (int(cell[0]), int(cell[1]), int(cell[2]))
        counted[key] = counted.get(key, 0) + int(n)
    return counted


@pytest.mark.parametrize("direct", [0, finding.DIRECT])
@given(
    drawn=st.lists(_ENTRY, min_size=1, max_size=40),
    asked=st.tuples(
        st.none() | st.integers(0, 2),
        st.sampled_from([[], [0], [1], [0, 1], [1, 0]]),
        st.booleans(),
    ),
    cuts=st.lists(st.integers(1, 39), max_size=3, unique=True).map(sorted),
    before=st.integers(0, 2),
)
def test_a_whole_stretch_is_counted_as_its_entries_are(
    direct: int,
    drawn: Drawn,
    asked: tuple[int | None, list[int], bool],
    cuts: list[int],
    before: int,
) -> None:
    stretch = stretch_of(drawn)
    inner = [cut for cut in cuts if cut < len(drawn)]
    survey, by, on_event = asked
    wanted = wanted_of(survey, by, [-9 + n for n in range(before)] + [-1, *inner, 99], on_event)
    one_by_one = cells(find(stretch.entries, None, 1, wanted))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finding, "DIRECT", direct)
        windows = slice(before, before + len(inner) + 1)
        once = find_whole(stretch, windows, 1, wanted)
        later = replace(wanted, edges=wanted.edges[before:])
        moved = find_whole(stretch, slice(0, len(inner) + 1), 1, later)

    assert cells(once) == one_by_one
    assert len(cells(once)) == len(once.segments)  # no cell twice
    assert cells(moved) == {(s, w - before, c): n for (s, w, c), n in one_by_one.items()}


def test_each_question_has_its_own() -> None:
    stretch = stretch_of([(3, 1, 0, 1, 0), (3, 1, 1, 1, 1), (4, 0, 0, 2, 1)])
    asked = [
        (1, wanted_of(None, [0])), (1, wanted_of(0, [0])), (0, wanted_of(None, [0])),
        (1, wanted_of(None, [1])), (1, wanted_of(None, [])), (1, wanted_of(None, [], (0, 1, 999))),
        (1, wanted_of(None, [], (0, 1, 999), on_event=True)),
    ]  # fmt: skip

    told = [
        [cells(find_whole(stretch, slice(0, one[1].windows), *one)) for one in asked]
        for _ in range(2)
    ]

    assert told[0] == told[1]
    assert told[0] == [
        {(1, 0, 3): 2}, {(1, 0, 3): 1}, {(2, 0, 4): 1}, {(1, 0, 3): 1}, {(0, 0, 3): 2},
        {(0, 0, 3): 1, (0, 1, 3): 1}, {(0, 1, 3): 2},
    ]  # fmt: skip


def test_what_was_asked_longest_ago_goes_first() -> None:
    def of(kilobytes: int) -> Cells:
        return np.zeros(kilobytes * 128, np.int64), np.zeros(0, np.int64)

    counted = Counted(90_000)
    counted.put("a", of(40))
    counted.put("b", of(40))
    assert counted.get("a") is not None
    counted.put("c", of(40))
    counted.put("too large", of(90))

    assert {name: counted.get(name) is not None for name in ("a", "b", "c", "too large")} == {
        "a": True, "b": False, "c": True, "too large": False,
    }  # fmt: skip
    assert 80 * 1_024 < counted.bytes < 90_000


def test_many_small_ones_are_bounded_as_well() -> None:
    """Such as conditions on thousands of values that hardly anybody has."""
    nothing, counted = np.zeros(0, np.int64), Counted(0)
    tracemalloc.start()
    for number in range(5_000):
        shape = (1, False, None, ((3, number),), (0, 1), (3, 2), number.to_bytes(80))
        counted.put(shape, (nothing[:0], nothing[:0]))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert held < counted.bytes <= 64 * 1_024


def test_a_stretch_says_what_it_keeps() -> None:
    stretch = stretch_of([(n % 13, 1, n % 3, n % 3, 0) for n in range(300)])
    find_whole(stretch, slice(0, 1), 1, wanted_of(None, [0, 1]))

    assert stretch.bytes == stretch.entries.bytes + stretch.counted.bytes > stretch.entries.bytes
