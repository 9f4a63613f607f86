"""The delay that is told against the detector itself, and what is said of it."""

import numpy as np
import pytest

from services.alerts.domain.budget import Budget
from services.alerts.domain.detector import Detector
from services.alerts.domain.sensible import Notices, describe
from services.alerts.domain.sensitivity import (
    Sensitivity,
    Standing,
    measure_sensitivity,
    usual_daily,
)
from services.alerts.domain.spans import a_day, in_words
from services.alerts.domain.state import FleetState
from services.alerts.domain.terms import FleetTerms, Policy

POLICY = Policy()


class Fixed(Budget):
    """Thresholds as given, however long it lasts."""

    def is_new_day(self, middle_h: float) -> bool:
        return False


class World:
    """Streams of one rate and volume, all alike, judged by ticks as long as they need be."""

    def __init__(self, daily: float, nats: float, *, n: int, seed: int) -> None:
        self.draw = np.random.default_rng(seed)
        self.detector = Detector(POLICY, FleetTerms(), Fixed(log_thresholds=np.full(3, nats)))
        self.fleet = FleetState.empty(n)
        self.daily, self.n, self.now_h = daily, n, 100_020.0  # noon
        self.tick_h = max(1 / 60, min(24 / daily / 2, 2.0))

    def tick(self, rate: float) -> list[int]:
        self.now_h += self.tick_h
        answers = self.draw.poisson(self.daily * self.tick_h / 24, self.n)
        index = np.flatnonzero(answers)
        if not len(index):
            return []
        counts = answers[index].astype(float)
        bad = self.draw.binomial(answers[index], rate).astype(float)
        said = self.detector.step(self.fleet, index, counts, bad, self.now_h, self.tick_h)
        fired: list[int] = index[said.fired].tolist()
        return fired

    def warm(self, days: float, rate: float) -> None:
        end = self.now_h + 24 * days
        while self.now_h < end:
            for row in self.tick(rate):
                self.detector.open(self.fleet, row, self.now_h)
                self.detector.close(self.fleet, row, accepted=False)

    def told(self) -> Sensitivity:
        rows = self.fleet.rows(np.arange(self.n))
        nats = self.detector.budget.log_thresholds[rows.level]
        daily = usual_daily(self.fleet.rows(np.arange(self.n)), self.now_h)
        standing = Standing(
            rows=rows,
            log_thresholds=nats,
            dispersion=self.detector.dispersion.of(rows),
            daily=daily,
            now_h=self.now_h,
        )
        return measure_sensitivity(standing, POLICY, self.detector.terms)

    def days_until_found(self, rate: float, most_days: float) -> np.ndarray:
        days, began = np.full(self.n, np.nan), self.now_h
        while np.isnan(days).any() and self.now_h - began < 24 * most_days:
            for row in self.tick(rate):
                days[row] = np.nanmin([days[row], (self.now_h - began) / 24])
                self.detector.open(self.fleet, row, self.now_h)
        return days


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("daily", "rate", "nats", "warm_days", "n"),
    [
        (100.0, 0.15, 12.0, 20.0, 60),
        (30.0, 0.15, 11.0, 28.0, 100),
        (10.0, 0.15, 8.5, 40.0, 200),
        (100.0, 0.3, 13.0, 28.0, 100),
        (300.0, 0.1, 13.0, 20.0, 50),
        (1500.0, 0.15, 14.0, 7.0, 40),
    ],
)
def test_a_doubling_is_noticed_when_it_is_told(
    daily: float, rate: float, nats: float, warm_days: float, n: int
) -> None:
    world = World(daily, nats, n=n, seed=17)
    world.warm(warm_days, rate)
    told = float(np.median(world.told().days))

    found = world.days_until_found(2 * rate, 8 * told)

    assert np.isfinite(found).mean() > 0.85
    assert told == pytest.approx(float(np.nanmean(found)), rel=0.25)


def test_a_baseline_that_cannot_give_the_evidence_is_said_to_be_too_short() -> None:
    world = World(10.0, 14.0, n=20, seed=3)
    world.warm(8, 0.15)
    told = world.told()

    said = describe(told, 0, ("nps", "", {"region": "EU"}), 10.0, POLICY.smallest_rise)

    assert told.never.all()
    assert (told.ceiling < told.nats).all()
    assert said.notices is Notices.NEVER
    assert (said.days, said.answers, said.survey) == (None, None, None)
    assert "would hardly be noticed within a year at 10 answers a day" in said.in_words


def test_a_stream_that_warms_up_says_so() -> None:
    world = World(10.0, 7.0, n=5, seed=3)
    world.warm(3, 0.15)

    said = describe(world.told(), 0, ("nps", "", {}), 10.0, POLICY.smallest_rise)

    assert said.notices is Notices.WARMING
    assert "warming up" in said.in_words


def test_drift_sets_a_floor_to_what_wakes_somebody() -> None:
    rows = FleetState.empty(1)
    rows.baseline_detractors, rows.baseline_others = 100.0, 300.0
    rows.first_at, rows.last_at, rows.seen = 0.0, 999.0, 400.0
    standing = Standing(
        rows=rows,
        log_thresholds=np.array([10.0]),
        dispersion=np.ones(1),
        daily=np.full(1, 50.0),
        now_h=1000.0,
    )
    found = measure_sensitivity(standing, POLICY, FleetTerms(drift=1e-4))

    said = describe(found, 0, ("nps", "", {}), 50.0, POLICY.smallest_rise)

    assert said.least_rise == said.drift_floor == pytest.approx(7.9, abs=0.5)
    assert "cannot be woken for less than +8" in said.in_words


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (0.001, "1 minute"),
        (1.4, "84 minutes"),
        (2.2, "2 hours"),
        (41, "41 hours"),
        (60, "2 days"),
        (28 * 24, "4 weeks"),
        (200 * 24, "7 months"),
    ],
)
def test_spans_are_told_in_one_unit(hours: float, words: str) -> None:
    assert in_words(hours) == words


@pytest.mark.parametrize(
    ("daily", "words"),
    [
        (3.0, "3 answers a day"),
        (1.0, "1 answer a day"),
        (2.55, "2.5 answers a day"),
        (240.4, "240 answers a day"),
        (0.5, "4 answers a week"),
        (0.05, "2 answers a month"),
        (0.0, "less than an answer a month"),
    ],
)
def test_volumes_are_told_so_that_they_can_be_pictured(daily: float, words: str) -> None:
    assert a_day(daily) == words
