"""What an explanation holds as a whole: more for each cause, little for a cause's unevenness."""

import numpy as np
import pytest

from services.alerts.domain.joint import joint_log_ratio
from services.alerts.domain.leaves import Leaves

EU, US, ALL = np.arange(8), np.arange(8, 16), np.arange(16)
WOBBLE = 0.08


def leaves_of(shares: list[float], answers: float = 2_000) -> Leaves:
    many = np.full(16, answers)
    segments = [{"region": r, "product": str(p)} for r in ("EU", "US") for p in range(8)]
    return Leaves.of(segments, many, many * np.array(shares), np.full(16, 0.1))


def test_causes_apart_hold_what_each_of_them_holds() -> None:
    leaves = leaves_of([0.2] * 8 + [0.15] * 8)

    together = joint_log_ratio(leaves, [EU, US], WOBBLE)

    assert together == pytest.approx(
        joint_log_ratio(leaves, [EU], WOBBLE) + joint_log_ratio(leaves, [US], WOBBLE)
    )
    assert joint_log_ratio(leaves, [], WOBBLE) == 0


def test_the_slice_at_fault_holds_more_than_one_with_leaves_that_did_not_rise() -> None:
    leaves = leaves_of([0.2] * 8 + [0.1] * 8)

    one, everything = (joint_log_ratio(leaves, [which], WOBBLE) for which in (EU, ALL))

    assert one > everything + 10


def test_a_leaf_that_rose_somewhat_more_is_no_cause_of_its_own() -> None:
    leaves = leaves_of([0.26] + [0.2] * 7 + [0.1] * 8, 40_000)

    gained = joint_log_ratio(leaves, [EU, EU[:1]], WOBBLE) - joint_log_ratio(leaves, [EU], WOBBLE)

    assert 0 < gained < 3  # were it the same in all leaves: 7
