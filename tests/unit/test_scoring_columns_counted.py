"""What a stretch was counted for once is what it is counted for again, in bounded memory."""

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
    return Stretch(0, 1_000, Entries(time, time, column, kind, survey, (first, second)))


def wanted_of(survey: int | None, by: list[int], windows: int) -> Wanted:
    edges = np.arange(windows + 1, dtype=np.int64) * 1_000
    return Wanted(edges, False, survey, [], by, [(3, 2)[place] for place in by])


def cells(found: Found) -> dict[tuple[int, int, int], int]:
    counted: dict[tuple[int, int, int], int] = {}
    counts = np.ones(len(found.segments), int) if found.counts is None else found.counts
    for *cell, n in zip(found.segments, found.windows, found.columns, counts, strict=True):
        key = (int(cell[0]), int(cell[1]), int(cell[2]))
        counted[key] = counted.get(key, 0) + int(n)
    return counted


@pytest.mark.parametrize("direct", [0, finding.DIRECT])
@given(
    drawn=st.lists(_ENTRY, max_size=40),
    survey=st.none() | st.integers(0, 2),
    by=st.sampled_from([[], [0], [1], [0, 1], [1, 0]]),
    window=st.integers(0, 2),
)
def test_a_whole_stretch_is_counted_as_its_entries_are(
    direct: int, drawn: Drawn, survey: int | None, by: list[int], window: int
) -> None:
    stretch, wanted = stretch_of(drawn), wanted_of(survey, by, 3)
    bounds = np.where(np.arange(4) <= window, 0, len(drawn))
    entry_by_entry = cells(find(stretch.entries, bounds, 1, wanted))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finding, "DIRECT", direct)
        once = find_whole(stretch, window, 1, wanted)
        moved = find_whole(stretch, 0, 1, wanted)

    assert cells(once) == entry_by_entry
    assert len(cells(once)) == len(once.segments)  # no cell twice
    assert cells(moved) == {(s, 0, c): n for (s, _, c), n in entry_by_entry.items()}


def test_each_question_has_its_own() -> None:
    stretch = stretch_of([(3, 1, 0, 1, 0), (3, 1, 1, 1, 1), (4, 0, 0, 2, 1)])
    asked = [(1, wanted_of(None, [0], 1)), (1, wanted_of(0, [0], 1)), (0, wanted_of(None, [0], 1)),
             (1, wanted_of(None, [1], 1)), (1, wanted_of(None, [], 1))]  # fmt: skip

    told = [[cells(find_whole(stretch, 0, *one)) for one in asked] for _ in range(2)]

    assert told[0] == told[1]
    assert told[0] == [
        {(1, 0, 3): 2}, {(1, 0, 3): 1}, {(2, 0, 4): 1}, {(1, 0, 3): 1}, {(0, 0, 3): 2},
    ]  # fmt: skip


def test_what_was_asked_longest_ago_goes_first() -> None:
    def of(size: int) -> Cells:
        return np.zeros(size, np.int64), np.zeros(0, np.int64)

    counted = Counted(80)
    counted.put("a", of(4))
    counted.put("b", of(4))
    assert counted.get("a") is not None
    counted.put("c", of(4))
    counted.put("too large", of(11))

    assert {name: counted.get(name) is not None for name in ("a", "b", "c", "too large")} == {
        "a": True, "b": False, "c": True, "too large": False,
    }  # fmt: skip
    assert counted.bytes == 64


def test_a_stretch_takes_at_most_as_much_again() -> None:
    stretch = stretch_of([(n % 13, 1, n % 3, n % 3, 0) for n in range(300)])
    for survey in (None, 0, 1, 2):
        for by in ([], [0], [1], [0, 1], [1, 0]):
            find_whole(stretch, 0, 1, wanted_of(survey, by, 1))

    assert stretch.entries.bytes < stretch.bytes <= 2 * stretch.entries.bytes
