"""What the fleet learns at the turn of an event day, and what a stream learns of its own hours."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit

from services.alerts.domain.detector import Detector
from services.alerts.domain.seasons import shrink
from services.alerts.domain.state import HOT, STATE_COLUMNS, FleetState
from services.alerts.domain.terms import FleetTerms, Policy

MONDAY_H = 2_920 * 168 + 96.0
STREAMS, DAYS = 30, 35
HOUR = np.arange(24)
SHARED = 0.3 * np.sin(2 * np.pi * HOUR / 24)
OWN = 0.4 * np.cos(4 * np.pi * HOUR / 24)
WOBBLE, FLICKER = 0.2, 0.12


@pytest.fixture(scope="module")
def played() -> tuple[Detector, FleetState]:
    """Five weeks of 400 answers an hour and stream; the first stream has hours of its own."""
    draw = np.random.default_rng(5)
    detector = Detector(Policy(), FleetTerms(dispersion=1.0))
    fleet, day = FleetState.empty(STREAMS), np.zeros(STREAMS)
    base = logit(draw.uniform(0.1, 0.35, STREAMS))
    for hour in range(DAYS * 24):
        if hour % 24 == 0:
            day = WOBBLE * draw.standard_normal(STREAMS)
        odds = base + day + SHARED[hour % 24] + FLICKER * draw.standard_normal(STREAMS)
        odds[0] += OWN[hour % 24]
        answers = np.full(STREAMS, 400.0)
        detractors = draw.binomial(400, expit(odds)).astype(float)
        detector.step(fleet, np.arange(STREAMS), answers, detractors, MONDAY_H + hour + 1, 1 / 60)
    return detector, fleet


def test_day_wobble_and_flicker_are_learned(played: tuple[Detector, FleetState]) -> None:
    terms = played[0].terms
    assert terms.day_wobble == pytest.approx(WOBBLE, rel=0.2)
    assert terms.flicker == pytest.approx(FLICKER, rel=0.2)
    assert terms.drift < FleetTerms().drift


def test_the_fleets_hours_are_learned(played: tuple[Detector, FleetState]) -> None:
    assert np.abs(np.array(played[0].terms.hour_offsets) - SHARED).max() < 0.1
    assert np.abs(played[0].terms.weekday_offsets).max() < 0.1


def test_a_stream_learns_its_own_hours(played: tuple[Detector, FleetState]) -> None:
    detector, fleet = played
    offsets = []
    for hour in range(24):
        now_h, one = MONDAY_H + DAYS * 24 + hour + 1, np.ones(STREAMS)
        detector.step(fleet, np.arange(STREAMS), one, 0 * one, now_h, 1 / 60)
        offsets.append(fleet.own_offset.copy())
    own = np.array(offsets)
    assert np.abs(own[:, 0] - OWN).max() < 0.15
    assert np.abs(own[:, 1:]).mean() < 0.05


def test_all_of_it_survives_a_restart(played: tuple[Detector, FleetState]) -> None:
    detector = played[0]
    record = json.loads(json.dumps(detector.to_record()))
    again = Detector.from_record(record, Policy(), FleetTerms(dispersion=1.0))
    assert again.terms == detector.terms
    assert again.to_record() == detector.to_record()


def test_a_record_of_an_older_version_starts_from_what_it_knows() -> None:
    detector = Detector(Policy())
    record = detector.to_record()
    old = {"budget": record["budget"], "dispersion": {"fleet": 1.8, "expected": 0.1}}
    again = Detector.from_record(old, Policy())
    assert again.dispersion.fleet == 1.8
    assert again.terms == FleetTerms()


def test_streams_of_an_older_version_are_judged_on() -> None:
    fleet, detector = FleetState.empty(2), Detector(Policy())
    both, answers = np.arange(2), np.full(2, 9.0)
    for hour in range(60):
        detector.step(fleet, both, answers, np.full(2, 2.0), MONDAY_H + hour, 1 / 60)
    known = STATE_COLUMNS[: STATE_COLUMNS.index("hour_answers")]
    rows = fleet.to_rows(both)[:, : len(known)]
    moved = FleetState.from_rows(rows, level=[0, 0], parent=[-1, -1], columns=known)
    judged = detector.step(moved, both, answers, np.full(2, 2.0), MONDAY_H + 61, 1 / 60)
    assert moved.seen.tolist() == [61 * 9.0] * 2
    assert np.isfinite(judged.log_evidence).all()
    assert not judged.fired.any()


def test_terms_that_are_given_stand() -> None:
    terms = FleetTerms(learning=False, day_wobble=0.3)
    fleet, detector = FleetState.empty(1), Detector(Policy(), terms)
    for hour in range(30 * 24):
        hurt = np.array([float(3 * (hour % 24 < 12))])
        detector.step(fleet, np.zeros(1, int), np.full(1, 9.0), hurt, MONDAY_H + hour, 1 / 60)
    assert detector.terms == terms
    assert fleet.own_offset[0] == 0


@pytest.mark.parametrize("days", [3.0, 28.0])
def test_offsets_of_few_answers_stay_near_nothing(days: float) -> None:
    few, many = np.full((2, 24), 1.0), np.full((2, 24), 1_000.0)
    for sums in (few, many):
        sums[1] = sums[0] * np.where(HOUR < 12, 0.3, -0.3)
    near = np.abs(shrink(few, days, 1.5, 0.15**2 / days)).max()
    sure = np.abs(shrink(many, days, 1.5, 0.15**2 / days)).max()
    assert near < 0.05
    assert sure > 0.2


def test_what_a_minute_does_not_need_is_not_copied() -> None:
    fleet = FleetState.empty(3)
    assert len(fleet.hot_rows(np.array([1])).values) == HOT < len(STATE_COLUMNS)


def test_how_an_hour_is_cut_does_not_move_the_evidence() -> None:
    """The likelihood of an hour is that of its sums; the clock is stopped to see it alone."""
    found = []
    parts = ([(40, 24)], [(10, 9), (10, 3), (20, 12)], [(20, 12), (10, 3), (10, 9)])
    for part in parts:
        detector = Detector(replace(Policy(), clock=0.0), FleetTerms(learning=False))
        fleet = FleetState.empty(1)
        row = np.zeros(1, int)
        for hour in range(40):
            detector.step(fleet, row, np.full(1, 9.0), np.full(1, 2.0), MONDAY_H + hour, 1 / 60)
        fleet.evidence[:] = 1.0
        for i, (n, k) in enumerate(part):
            now_h = MONDAY_H + 40 + (i + 1) / 60
            detector.step(fleet, row, np.full(1, float(n)), np.full(1, float(k)), now_h, 1 / 60)
        found.append(np.log(fleet.evidence[:, 0]))
    assert found[0][1:] == pytest.approx(found[1][1:], abs=0.1)
    assert found[1][1:] == pytest.approx(found[2][1:], abs=0.1)
