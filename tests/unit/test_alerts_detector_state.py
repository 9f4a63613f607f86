"""A stream's state goes to disk and comes back, whatever is in it."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from services.alerts.domain.columns import Floats
from services.alerts.domain.state import NO_PARENT, STATE_COLUMNS, FleetState

WIDTH = len(STATE_COLUMNS)
numbers = st.floats(allow_nan=True, allow_infinity=True, width=64)


@settings(max_examples=30)
@given(st.integers(0, 6).flatmap(lambda n: arrays(float, (n, WIDTH), elements=numbers)))
def test_there_and_back(rows: Floats) -> None:
    fleet = FleetState.from_rows(rows)
    np.testing.assert_array_equal(fleet.to_rows(np.arange(len(rows))), rows)


def test_names_are_of_columns_and_distinct() -> None:
    assert len(set(STATE_COLUMNS)) == WIDTH
    assert "last_at" in STATE_COLUMNS
    assert {"evidence_0", "evidence_3"} <= set(STATE_COLUMNS)
    assert len(FleetState.empty(2).evidence) == 4


def test_a_column_that_was_not_stored_starts_anew() -> None:
    fleet = FleetState.from_rows(np.array([[7.0, 3.0]]), columns=["seen", "gone_since"])
    assert fleet.seen.tolist() == [7.0]
    assert np.isnan(fleet.last_at).all()


def test_growth_keeps_what_was_there() -> None:
    fleet = FleetState.empty(1)
    fleet.seen = 5.0
    for n in (1, 3, 40):
        assert fleet.extend(n, level=[1] * n, parent=[0] * n).tolist() == list(
            range(len(fleet) - n, len(fleet))
        )
    assert len(fleet) == 45
    assert fleet.seen.tolist() == [5.0] + [0.0] * 44
    assert np.isnan(fleet.opened_at).all()
    assert fleet.parent.tolist() == [NO_PARENT] + [0] * 44


def test_a_copy_is_apart_until_stored() -> None:
    fleet = FleetState.empty(3)
    index = np.array([2, 0])
    rows = fleet.rows(index)
    rows.seen = np.array([1.0, 2.0])
    assert fleet.seen.tolist() == [0.0, 0.0, 0.0]
    fleet.store(index, rows)
    assert fleet.seen.tolist() == [2.0, 0.0, 1.0]


def test_levels_come_for_every_stream_or_none() -> None:
    with pytest.raises(ValueError, match="1 values for 2 streams"):
        FleetState.empty().extend(2, level=[1])


def test_copying_a_stream_takes_no_longer_in_a_large_fleet() -> None:
    """All may cross in one minute, and each is opened by itself."""
    fleet = FleetState.empty(20_000)
    fleet.extend(1)  # room for more: what is watched is a part of what is held
    one = np.array([3])

    began = time.process_time()
    for _ in range(500):
        fleet.store(one, fleet.rows(one))
        fleet.hot_rows(one)
    assert time.process_time() - began < 0.25  # it was a second
