"""Weighted by what is known of everybody, not by who answered."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.weighting import World, look
from services.scoring.domain.questions import Segment
from services.scoring.domain.weighting import FEWEST, strata_of, weigh
from shared.tally import Tallies

counts = st.lists(st.tuples(*[st.integers(0, 40)] * 4), min_size=1, max_size=8)


def tallies(rows: list[tuple[int, int, int]]) -> Tallies:
    promoters, passives, detractors = (np.array(column) for column in zip(*rows, strict=True))
    zeros = np.zeros(len(rows), np.int64)
    return Tallies(promoters, passives, detractors, zeros, zeros)


def nps(found: Tallies, group: int) -> float:
    return float(100 * (found.promoters - found.detractors)[group] / found.n[group])


def test_a_quiet_stratum_speaks_for_all_of_its_own() -> None:
    """Half of the customers are in the south, one answer in eleven comes from there."""
    segments = [("north",), ("south",)]
    answers = tallies([(80, 10, 10), (0, 0, 10)])

    found = weigh(strata_of([()], segments, answers, {("north",): 500, ("south",): 500}), 1)

    assert nps(found.tallies, 0) == pytest.approx((70 - 100) / 2)
    assert found.effective_n[0] == pytest.approx(1 / (0.25 / 100 + 0.25 / 10))
    assert found.uncovered[0] == 0
    assert found.strata[0] == 2


def test_strata_with_few_answers_are_collapsed() -> None:
    segments = [("a",), ("b",), ("c",)]
    answers = tallies([(50, 0, 0), (FEWEST - 1, 0, 0), (0, 0, FEWEST - 1)])
    known: dict[Segment, int] = {("a",): 50, ("b",): 30, ("c",): 20}

    found = weigh(strata_of([()], segments, answers, known), 1)

    assert found.strata[0] == 2
    assert nps(found.tallies, 0) == pytest.approx(50)  # half of it from "b" and "c" together: 0


def test_strata_that_nobody_answers_for_are_told() -> None:
    answers = tallies([(30, 0, 0)])

    found = weigh(strata_of([()], [("a",)], answers, {("a",): 60, ("b",): 40}), 1)

    assert found.uncovered[0] == pytest.approx(0.4)
    assert found.known[0] == 100
    assert found.effective_n[0] == pytest.approx(30)


def test_without_a_denominator_nothing_is_weighted() -> None:
    found = weigh(strata_of([("EU",)], [("EU", "a")], tallies([(9, 0, 0)]), {}), 1)

    assert found.effective_n[0] == 0
    assert found.tallies.n[0] == 0


def test_each_group_has_its_own_strata() -> None:
    groups = [("EU",), ("US",)]
    segments = [("EU", "a"), ("EU", "b"), ("US", "a"), ("ASIA", "a")]
    answers = tallies([(20, 0, 0), (0, 0, 20), (0, 20, 0), (0, 0, 99)])
    known: dict[Segment, int] = {("EU", "a"): 3, ("EU", "b"): 1, ("US", "a"): 7, ("ASIA", "a"): 1}

    found = weigh(strata_of(groups, segments, answers, known), 2)

    assert nps(found.tallies, 0) == pytest.approx(50)
    assert nps(found.tallies, 1) == 0
    assert found.effective_n[1] == pytest.approx(20)


@settings(max_examples=80)
@given(counts)
def test_weights_equal_to_the_answers_change_nothing(rows: Any) -> None:
    """Where everybody answered at the same rate, the weighted score is the plain one."""
    rows = [row[:3] for row in rows if sum(row[:3])]
    if not rows:
        return
    answers = tallies(rows)
    segments = [(f"s{number}",) for number in range(len(rows))]
    known: dict[Segment, int] = {one: 7 * sum(row) for one, row in zip(segments, rows, strict=True)}

    found = weigh(strata_of([()], segments, answers, known), 1)

    assert found.effective_n[0] == pytest.approx(float(answers.n.sum()))
    assert found.tallies.promoters[0] == pytest.approx(float(answers.promoters.sum()))
    assert found.tallies.detractors[0] == pytest.approx(float(answers.detractors.sum()))


@settings(max_examples=80)
@given(counts)
def test_the_effective_n_is_never_above_the_plain_one(rows: Any) -> None:
    answers = tallies([row[:3] for row in rows])
    segments = [(f"s{number}",) for number in range(len(rows))]
    known: dict[Segment, int] = {one: row[3] for one, row in zip(segments, rows, strict=True)}

    found = weigh(strata_of([()], segments, answers, known), 1)

    assert found.effective_n[0] <= answers.n.sum() + 1e-9
    assert found.tallies.n[0] == pytest.approx(found.effective_n[0])
    assert 0 <= found.uncovered[0] <= 1


def test_a_bias_of_eight_points_and_more_is_brought_within_two() -> None:
    """A company of 200,000 events, of which the happy regions answer far more often."""
    draw = np.random.default_rng(5)

    seen = [look(World("large", 200_000), draw) for _ in range(40)]

    assert min(abs(one.plain) for one in seen) >= 8
    assert max(abs(one.weighted) for one in seen) <= 2
    assert sum(one.weighted_outside for one in seen) <= 5


def test_weights_do_not_mend_what_no_stratum_shows() -> None:
    draw = np.random.default_rng(6)

    seen = look(World("silent", 200_000, detractors_answer=0.5), draw)

    assert abs(seen.weighted) > 8
