"""A sheet says of each group what a plain sum of its rows says."""

from collections import defaultdict
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.domain.cells import ANSWERED, INVITED, POINTS, WIDTH
from services.scoring.domain.questions import Group, Question
from services.scoring.domain.sheets import Tabulation

SCALES = {"csat": (5, 10), "nps": (10,)}
segments = st.sampled_from([("EU",), ("US",), ("ASIA",)])


@st.composite
def counted(draw: Any) -> Any:
    metric = draw(st.sampled_from(list(SCALES)))
    scales = st.sampled_from(SCALES[metric])
    points = {5: 5, 10: 10 if metric == "csat" else 11}

    def sums(scale: int) -> list[int]:
        found = draw(st.lists(st.integers(0, 9), min_size=WIDTH, max_size=WIDTH))
        return [
            n if place < points[scale] or place >= POINTS else 0 for place, n in enumerate(found)
        ]

    rows = [
        (draw(st.integers(0, 1)), draw(segments), scale, sums(scale))
        for scale in draw(st.lists(scales, max_size=8))
    ]
    return metric, rows


@settings(max_examples=60)
@given(counted(), st.integers(0, 8))
def test_each_group_is_the_sum_of_its_rows(given_: Any, cut: int) -> None:
    metric, rows = given_
    expected: dict[Any, Any] = defaultdict(lambda: defaultdict(lambda: [0] * WIDTH))
    for window, segment, scale, sums in rows:
        known = expected[window, segment][scale]
        expected[window, segment][scale] = [a + b for a, b in zip(known, sums, strict=True)]

    table = Tabulation(Question(metric, by=("region",)), 2)
    table.add_rows(rows[:cut])
    table.add_rows(rows[cut:])
    sheet = table.sheet()

    for window in (0, 1):
        tallies, sizes = sheet.tallies(window), sheet.n(window)
        for place, segment in enumerate(sheet.segments):
            group = Group(metric, expected[window, segment])
            tally = group.tally
            assert sizes[place] == group.n == tallies.n[place]
            assert (tallies.promoters[place], tallies.detractors[place]) == (
                tally.promoters,
                tally.detractors,
            )
            assert (tallies.total[place], tallies.squares[place]) == (tally.total, tally.squares)
            assert sheet.invited(window)[place] == group.invited
            assert sheet.group(window, place).tally.n == group.n
    assert set(sheet.segments) == {row[1] for row in rows}


def test_a_matrix_adds_to_what_rows_said() -> None:
    sums = [0] * WIDTH
    sums[9], sums[INVITED], sums[ANSWERED] = 3, 5, 4
    table = Tabulation(Question("nps", by=("region",)), 1)
    table.add_rows([(0, ("EU",), 10, sums)])
    table.add_matrix(10, [("US",), ("EU",)], np.array([[[1] * WIDTH, [2] * WIDTH]]))

    sheet = table.sheet()

    eu = sheet.segments.index(("EU",))
    assert sheet.n(0)[eu] == 3 + 2 * POINTS
    assert sheet.invited(0)[eu] == 7
    assert sheet.answered(0)[eu] == 6


def test_without_dimensions_there_is_one_group_though_nobody_answered() -> None:
    sheet = Tabulation(Question("nps"), 2).sheet()

    assert sheet.segments == ((),)
    assert sheet.n(1).tolist() == [0]
    assert sheet.tallies(0).n.tolist() == [0]
