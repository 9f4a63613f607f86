"""Many independent streams, one answer a minute: how long a rise takes to be noticed.

The product's detector; a stream is a row of one fleet. Its threshold is set to log(ARL0) answers,
uncalibrated, and its history of 5,000 answers is learned, not told. `BARE` takes variation beyond
the binomial as known to be none, as the bars were measured; `SHIPPED` has to find that out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from benchmarks.spikes.worlds import FIRST_H, Floats, Ints
from services.alerts.domain.budget import Budget
from services.alerts.domain.detector import Detector, Judgement
from services.alerts.domain.state import FleetState
from services.alerts.domain.terms import FleetTerms, Policy

TICK_H = 1 / 60
HISTORY = 5000
CALM = 1000  # answers before the change, judged
LONGEST = 20_000
PAIRS = ((0.05, 0.10), (0.15, 0.25), (0.15, 0.30), (0.30, 0.50))
BARE = FleetTerms(
    dispersion=1.0, learning=False, day_wobble=0.0, flicker=0.0, drift=0.0, own_season=0.0
)
SHIPPED = FleetTerms()


class FixedBudget(Budget):
    """One threshold for good, in answers that come one a tick."""

    def __init__(self, arl: float, tick_h: float) -> None:
        super().__init__()
        self.fixed = np.full(len(self.log_thresholds), np.log(arl * tick_h))

    def divide(self, middle_h: float, streams: Ints, policy: Policy) -> Floats:
        return self.fixed


class Bundle:
    """Streams that get an answer each at every tick, unless they are left out."""

    def __init__(
        self, streams: int, arl: float, terms: FleetTerms = BARE, tick_h: float = TICK_H
    ) -> None:
        self.tick_h = tick_h
        self.detector = Detector(Policy(clock=tick_h), terms, FixedBudget(arl, tick_h))
        self.fleet = FleetState.empty(streams)
        self.now_h = float(FIRST_H)

    def learn(self, rng: Generator, rates: Floats, answers: Floats) -> None:
        """Give a history in one minute, a day and a half before the rest."""
        index = np.flatnonzero(answers)
        if len(index):
            k = rng.binomial(answers[index].astype(int), rates[index]).astype(float)
            self.now_h += self.tick_h
            n = answers[index].astype(float)
            self.detector.step(self.fleet, index, n, k, self.now_h, self.tick_h)
        self.now_h += 36.0

    def learn_slowly(self, rng: Generator, rates: Floats, answers: int) -> None:
        """Give a history over four weeks, by the hour: what varies with time can be learned."""
        hours = 28 * 24
        index, each = np.arange(len(rates)), np.diff(np.arange(hours + 1) * answers // hours)
        for n in each.tolist():
            self.now_h += 1.0
            k = rng.binomial(n, rates).astype(float)
            counts = np.full(len(rates), float(n))
            self.detector.step(self.fleet, index, counts, k, self.now_h, 1.0)

    def answer(self, rng: Generator, index: Ints, rates: Floats) -> Judgement:
        """One answer of each stream at `index`."""
        detractors = (rng.random(len(index)) < rates).astype(float)
        self.now_h += self.tick_h
        ones = np.ones(len(index))
        return self.detector.step(self.fleet, index, ones, detractors, self.now_h, self.tick_h)


@dataclass(frozen=True)
class Delays:
    """Answers from the change to the alarm, of streams that had not rung before it."""

    delays: Floats
    early: int  # rang before
    judged: int  # calm answers that were judged

    @property
    def mean(self) -> float:
        return float(self.delays.mean())

    @property
    def error(self) -> float:
        return float(self.delays.std() / np.sqrt(len(self.delays)))


def measure_delays(
    seed: int, pair: tuple[float, float], arl: float, streams: int, terms: FleetTerms
) -> Delays:
    rng = np.random.default_rng(seed)
    bundle = Bundle(streams, arl, terms)
    calm, risen = pair
    if terms is BARE:
        bundle.learn(rng, np.full(streams, calm), np.full(streams, float(HISTORY)))
    else:
        bundle.learn_slowly(rng, np.full(streams, calm), HISTORY)
    active = np.arange(streams)
    judged = 0
    for _ in range(CALM):
        fired = bundle.answer(rng, active, np.full(len(active), calm)).fired
        judged += len(active)
        active = active[~fired]
    early = streams - len(active)
    delays = []
    for answer in range(1, LONGEST + 1):
        fired = bundle.answer(rng, active, np.full(len(active), risen)).fired
        delays += [answer] * int(fired.sum())
        active = active[~fired]
        if not len(active):
            break
    delays += [LONGEST] * len(active)
    return Delays(np.array(delays, float), early, judged)
