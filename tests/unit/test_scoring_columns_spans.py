"""The arithmetic under the columns: spans of time, and stretches cut into pieces."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.store.columns import entries
from services.scoring.store.columns.entries import Entries, Stretch
from services.scoring.store.columns.spans import Spans

_MOMENTS = st.integers(0, 30)
_SPANS = st.lists(st.tuples(_MOMENTS, st.integers(1, 6)), max_size=8)


def spans_of(drawn: list[tuple[int, int]]) -> Spans:
    return Spans.of([start for start, _ in drawn], [start + length for start, length in drawn])


def moments_in(drawn: list[tuple[int, int]]) -> set[int]:
    return {start + n for start, length in drawn for n in range(length)}


def held_by(spans: Spans) -> set[int]:
    moments = np.arange(-2, 60)
    return set(moments[spans.hold(moments)].tolist())


@given(_SPANS, _SPANS, _MOMENTS)
def test_spans_hold_the_moments_that_were_given(
    left: list[tuple[int, int]], right: list[tuple[int, int]], start: int
) -> None:
    one, other = spans_of(left), spans_of(right)
    assert held_by(one) == moments_in(left)
    assert held_by(one | other) == moments_in(left) | moments_in(right)
    assert held_by(one.since(start)) == {m for m in moments_in(left) if m >= start}
    assert np.all(one.starts[1:] > one.ends[:-1])


@given(st.lists(_MOMENTS, max_size=60))
def test_pieces_hold_everything_once_and_equal_moments_together(moments: list[int]) -> None:
    time = np.array(sorted(moments), np.int64)
    code = np.zeros(len(time), np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entries, "_PIECE", 8)
        pieces = Stretch(-5, 99, Entries(time, time, code, code, code, ())).pieces()
    assert np.concatenate([one.entries.time for one in pieces]).tolist() == time.tolist()
    assert (pieces[0].start, pieces[-1].end) == (-5, 99)
    for one, following in pairwise(pieces):
        assert one.end == following.start
    for one in pieces:
        assert all(one.start <= moment < one.end for moment in one.entries.time.tolist())
