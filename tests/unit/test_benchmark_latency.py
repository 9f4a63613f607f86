"""Latency's arithmetic: what is counted when, which quantiles are told, hops that add up."""

from datetime import UTC, datetime

import numpy as np
import pytest

from benchmarks.latency.arrivals import Scored, Shown, counted
from benchmarks.latency.capacity import Moment, waiting
from benchmarks.latency.contents import Kind, answer_id
from benchmarks.latency.hops import hops_table
from benchmarks.latency.sending import Plan, Sent, carry_out
from benchmarks.latency.tables import quantiles


def sent_of(*planned: float) -> Sent:
    places = np.array(planned)
    return Sent(Plan(Kind.ANSWER, 1.0, float(len(places))), places, places)


def scored_at(**moments: float) -> dict[str, Scored]:
    return {
        name.replace("_", "-"): Scored(name, _at(moment), _at(moment))
        for name, moment in sorted(moments.items(), key=lambda each: each[1])
    }


def _at(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, UTC)


def test_an_answer_is_shown_with_the_whole_batch_in_which_it_was_scored() -> None:
    scored = scored_at(answer_0=10.0, answer_1=10.0, answer_2=11.0)
    shown = Shown(at=[10.1, 10.2, 11.5, 12.0], n=[0, 2, 2, 3])

    seen = counted(sent_of(9.0, 9.1, 9.2, 9.3), scored, shown)

    assert answer_id(3) not in scored
    assert seen[:3].tolist() == [10.2, 10.2, 12.0]
    assert np.isnan(seen[3])


def test_what_nobody_asked_after_was_never_shown() -> None:
    seen = counted(sent_of(9.0), scored_at(answer_0=10.0), Shown(at=[9.5], n=[0]))

    assert np.isnan(seen[0])


@pytest.mark.parametrize(("number", "told"), [(99, 1), (100, 2), (999, 2), (1_000, 3)])
def test_a_quantile_is_told_where_there_are_enough_for_it(number: int, told: int) -> None:
    cells = quantiles(np.linspace(0, 1, number))

    assert [cell is not None for cell in cells] == [place < told for place in range(3)]
    assert cells[0] == pytest.approx(500)


def test_hops_add_up_to_the_usual_way() -> None:
    planned = np.arange(100.0)
    wait = np.linspace(0.01, 0.03, 100)
    stops = {"planned": planned, "in": planned + 0.001, "out": planned + 0.001 + wait}

    rows = hops_table("hops", "", stops).rows

    assert [row[0] for row in rows] == ["in", "out", "all"]
    assert rows[0][1] == pytest.approx(1.0)
    assert rows[2][1] == pytest.approx(21.0, abs=0.1)


def test_what_is_due_and_has_not_come_out_waits() -> None:
    assert waiting(sent_of(1.0, 2.0, 3.0, 4.0), Moment(3.5, 1, 0.0)) == 2


class _Progress:
    value = 0


class _Stalled:
    """Takes everything, and acknowledges all of it long after."""

    def __init__(self) -> None:
        self.taken: list[int] = []

    def send(self, places: range, contents: object, acked: object) -> None:
        self.taken += places
        if len(self.taken) == 20:
            for place in self.taken:
                acked(place, 0.0)  # type: ignore[operator]


async def test_a_load_does_not_wait_for_who_is_slow() -> None:
    way = _Stalled()

    sent = await carry_out(Plan(Kind.ANSWER, 1_000.0, 0.02), way, _Progress())

    assert way.taken == list(range(20))
    assert sent.refused == 0
    assert (np.diff(sent.planned) > 0).all()
