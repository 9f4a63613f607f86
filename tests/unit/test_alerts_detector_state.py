"""A stream's state goes to disk and comes back, whatever is in it."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from services.alerts.domain.columns import Floats
from services.alerts.domain.state import HOT, NO_PARENT, STATE_COLUMNS, FleetState

WIDTH = len(STATE_COLUMNS)
numbers = st.floats(-1e38, 1e38) | st.sampled_from([np.nan, np.inf, -np.inf])


@settings(max_examples=30)
@given(st.integers(0, 6).flatmap(lambda n: arrays(float, (n, WIDTH), elements=numbers)))
def test_there_and_back(rows: Floats) -> None:
    index = np.arange(len(rows))
    read = FleetState.from_rows(rows).to_rows(index)
    np.testing.assert_array_equal(read[:, :HOT], rows[:, :HOT])
    np.testing.assert_array_equal(read[:, HOT:], rows[:, HOT:].astype(np.float32))
    np.testing.assert_array_equal(FleetState.from_rows(read).to_rows(index), read)


def test_names_are_of_columns_and_distinct() -> None:
    assert len(set(STATE_COLUMNS)) == WIDTH
    assert "last_at" in STATE_COLUMNS
    assert {"evidence_0", "evidence_3"} <= set(STATE_COLUMNS)
    assert len(FleetState.empty(2).evidence) == 4


def test_a_column_that_was_not_stored_starts_anew() -> None:
    fleet = FleetState.from_rows(np.array([[7.0, 3.0]]), columns=["seen", "gone_since"])
    assert fleet.seen.tolist() == [7.0]
    assert np.isnan(fleet.last_at).all()


def test_what_is_seldom_needed_is_held_in_half_of_the_room_and_copied_in_full() -> None:
    fleet = FleetState.empty(2)
    rows = fleet.rows(np.array([1]))
    rows.profile_sum[3] = 0.1
    rows.days_answers[6] = 40_001.0
    fleet.store(np.array([1]), rows)
    again, copied = fleet.rows(np.arange(2)), fleet.copy().rows(np.arange(2))
    assert again.profile_sum[3].tolist() == [0.0, float(np.float32(0.1))]
    assert again.days_answers[6].tolist() == [0.0, 40_001.0]
    np.testing.assert_array_equal(again.values, copied.values)
    assert len(fleet.values) == HOT  # in doubles


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
