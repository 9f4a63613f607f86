"""How many are asked, and whether that is enough: properties, and a simulation with seeds."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.precision import WAYS, sample
from benchmarks.precision_world import build_world
from services.trigger.domain.precision import (
    Asked,
    Habit,
    Heard,
    Target,
    margin_of,
    pairs_of,
    targets_of,
)
from shared.intervals import METHODS
from shared.programme.metrics import METRICS, Metric
from shared.tally import Tally, tally_points
from tests.support.trigger import programme

NPS, CSAT, _, CES = METRICS[:4]
TARGET = 5.0
metrics = st.sampled_from(METRICS)
targets = st.floats(0.5, 50)


@st.composite
def tallies(draw: st.DrawFn, rules: Metric) -> Tally:
    most = draw(st.sampled_from((0, 1, 5, 50, 2_000)))
    points = len(rules.points)
    return tally_points(
        rules, draw(st.lists(st.integers(0, most), min_size=points, max_size=points))
    )


def tally_of(n: int) -> Tally:
    """So many answers, a tenth detractors, three tenths passives."""
    return Tally(n - n // 10 - 3 * n // 10, 3 * n // 10, n // 10)


@settings(max_examples=200)
@given(st.data(), metrics, targets)
def test_asking_stops_when_the_target_is_met_and_not_before(
    data: st.DataObject, rules: Metric, target: float
) -> None:
    tally = data.draw(tallies(rules))

    margin = margin_of(Heard(tally), rules, target)

    assert margin.n == tally.n
    assert 0 <= margin.share <= 1
    met = margin.half_width is not None and margin.half_width <= target
    assert (margin.share == 0) == met
    if tally.n == 0:
        assert margin.half_width is None


@settings(max_examples=100)
@given(st.data(), metrics, targets, targets)
def test_the_wider_the_margin_is_beside_the_target_the_more_are_asked(
    data: st.DataObject, rules: Metric, left: float, right: float
) -> None:
    heard = Heard(data.draw(tallies(rules)), data.draw(st.floats(0, 500)))

    near = margin_of(heard, rules, max(left, right))
    far = margin_of(heard, rules, min(left, right))

    assert far.half_width == near.half_width
    assert far.share >= near.share or far.share == pytest.approx(near.share)


@settings(max_examples=100)
@given(st.data(), metrics, st.floats(0, 2_000), st.floats(0, 2_000))
def test_the_more_answers_are_to_come_the_fewer_are_asked(
    data: st.DataObject, rules: Metric, some: float, more: float
) -> None:
    tally = data.draw(tallies(rules))

    shares = [
        margin_of(Heard(tally, waiting), rules, TARGET).share
        for waiting in (0.0, some, some + more)
    ]

    assert shares == sorted(shares, reverse=True)
    enough = margin_of(Heard(tally, 1_000_000), rules, TARGET)
    assert enough.share == 0
    assert enough.half_width == margin_of(Heard(tally), rules, TARGET).half_width


@pytest.mark.parametrize("rules", METRICS)
def test_all_are_asked_of_whom_nothing_is_known(rules: Metric) -> None:
    assert margin_of(Heard(Tally()), rules, TARGET).share == 1
    assert margin_of(Heard(Tally()), rules, 50).share > 0  # an imagined answer meets no target


def test_the_share_falls_smoothly_as_answers_come() -> None:
    shares = [margin_of(Heard(tally_of(n)), NPS, TARGET).share for n in range(0, 1_000, 10)]

    falling = [share for share in shares if 0 < share < 1]
    assert shares == sorted(shares, reverse=True)
    assert shares[:30] == [1.0] * 30
    assert shares[-1] == 0
    assert len(falling) >= 10
    assert all(left - right < 0.25 for left, right in pairwise(falling))


def test_equal_answers_do_not_stop_it_early() -> None:
    for rules in (NPS, CSAT):
        assert margin_of(Heard(Tally(promoters=20)), rules, TARGET).share == 1


def test_the_half_width_is_that_of_the_interval_in_points() -> None:
    tally = tally_points(CES, [4, 3, 9, 10, 22, 30, 22])
    low, high = METHODS[CES.interval](tally, CES, 1.0).interval()

    found = margin_of(Heard(tally), CES, TARGET).half_width

    assert found == pytest.approx((high - low) / 2 / 6 * 100)  # hundredths of 1-7


def test_answers_to_come_are_those_of_the_asked_for_whom_it_is_not_too_late() -> None:
    now = datetime(2026, 11, 30, tzinfo=UTC)
    habit = Habit(0.5, timedelta(hours=1))
    yesterday, long_ago = {date(2026, 11, 29): 240}, {date(2026, 11, 1): 10_000}

    assert Asked(long_ago).waiting(now, habit) == pytest.approx(0, abs=1e-9)
    assert Asked(yesterday).waiting(now, habit) == pytest.approx(5, rel=1e-3)  # of the last hour
    slow = Habit(0.5, timedelta(days=1_000))
    assert Asked(yesterday).waiting(now, slow) == pytest.approx(120, rel=1e-3)
    assert Asked({date(2026, 11, 30): 8}).waiting(now, habit) == 4  # nobody has had any time


def test_habits_are_the_usual_until_they_are_known() -> None:
    now = datetime(2026, 11, 30, tzinfo=UTC)
    usual = Habit(0.4, timedelta(hours=10))
    long_ago = Asked({date(2026, 11, 1): 10_000}, 1_000, 1_000, 1_000 * timedelta(hours=2))

    assert Asked({}).habit(now, usual) == usual
    assert long_ago.habit(now, usual).rate == pytest.approx(0.1, rel=0.01)
    assert long_ago.habit(now, usual).late == pytest.approx(timedelta(hours=2), rel=0.1)
    late = replace(usual, late=timedelta(days=1_000))
    just_now = Asked({date(2026, 11, 29): 10_000}, answered=3)
    assert just_now.habit(now, late).rate == pytest.approx(0.4, rel=0.2)  # none, but too early


def test_days_are_those_that_lie_in_the_period() -> None:
    month, week = timedelta(days=30), timedelta(days=7)
    target = Target("s", "", TARGET, month, week, NPS)
    now = datetime(2026, 11, 30, 12, tzinfo=UTC)

    assert target.since(now).isoformat() == "2026-11-03"  # two days before they leave it
    assert target.recent(now).isoformat() == "2026-11-23"
    assert target.learnt(now).isoformat() == "2026-10-24"
    day = Target("s", "", TARGET, timedelta(days=1), week, NPS)
    assert day.since(now).isoformat() == "2026-11-30"
    assert day.learnt(now).isoformat() == "2026-10-24"


def test_triggers_with_a_target_say_what_is_counted() -> None:
    changed = {"target_margin": 4.0, "target_by": "region", "target_per": timedelta(days=9)}

    found = targets_of(programme(trigger=changed))

    assert targets_of(programme()) == {}
    (target,) = found.values()
    assert (target.survey, target.dimension, target.points) == ("post-call", "region", 4.0)
    assert (target.per, target.expires, target.rules) == (
        timedelta(days=9),
        timedelta(days=1),
        CSAT,
    )
    assert pairs_of(found.values()) == [("post-call", ""), ("post-call", "region")]


@pytest.mark.thorough
def test_every_segment_is_known_with_two_fifths_fewer_invitations_than_by_flat() -> None:
    world = build_world(5, 14, 1, rules=CSAT)
    flat, precise = (sample(world, WAYS[way]) for way in ("flat", "all"))
    ended = sum(flat.invited[: flat.last_met + 1])

    assert len(flat.met) == flat.held == 5
    assert len(precise.met) == precise.held == 5
    assert precise.last_met <= flat.last_met
    assert precise.invitations <= 0.6 * flat.invitations
    assert precise.invitations <= 0.7 * ended  # even of a flat sample that is ended in time
    assert precise.invitations <= 1.4 * world.foreknown
