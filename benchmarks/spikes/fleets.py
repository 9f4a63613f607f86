"""The product's detector over a simulated fleet, and what its alarms were worth."""

from dataclasses import dataclass

import numpy as np

from benchmarks.spikes.worlds import TICK_H, TICKS_A_DAY, World
from services.alerts.domain.detector import Detector
from services.alerts.domain.state import FleetState
from services.alerts.domain.terms import Policy

SMALLEST_TRUE_RISE = 0.025  # half of the smallest rise that is asked for
BEFORE = 14 * TICKS_A_DAY


@dataclass(frozen=True)
class Alarm:
    """One alert of one segment, in ticks: the one that fired, and the one of the claimed onset."""

    segment: int
    tick: int
    onset: int


def watch(world: World, policy: Policy | None = None) -> list[Alarm]:
    """Judge every tick as the product does, with default settings; each segment is a stream."""
    detector = Detector(policy or Policy())
    fleet = FleetState.empty(world.size.segments)
    alarms = []
    first_h = world.hour_of(0)
    for tick in range(len(world.answers)):
        index = np.flatnonzero(world.answers[tick])
        if not len(index):
            continue
        answers = world.answers[tick, index].astype(float)
        detractors = world.detractors[tick, index].astype(float)
        now_h = world.hour_of(tick + 1)
        judgement = detector.step(fleet, index, answers, detractors, now_h, TICK_H)
        for i in np.flatnonzero(judgement.fired).tolist():
            onset = round((float(judgement.onset_h[i]) - first_h) / TICK_H)
            alarms.append(Alarm(int(index[i]), tick, onset))
            detector.open(fleet, int(index[i]), now_h)
    return alarms


def counted(world: World, alarms: list[Alarm]) -> list[Alarm]:
    """Those that fired after the learning weeks."""
    return [a for a in alarms if a.tick >= world.size.learning * 7 * TICKS_A_DAY]


def true_rise(world: World, alarm: Alarm) -> float:
    """How much higher the true rate was since the claimed onset than in the 14 days before.

    Both weighted with the answers that came.
    """
    onset = max(alarm.onset, 1)
    since = slice(onset, alarm.tick + 1)
    before = slice(max(onset - BEFORE, 0), onset)
    return _mean(world, since, alarm.segment) - _mean(world, before, alarm.segment)


def is_false(world: World, alarm: Alarm) -> bool:
    return true_rise(world, alarm) < SMALLEST_TRUE_RISE


def _mean(world: World, ticks: slice, segment: int) -> float:
    rates, answers = world.rates[ticks, segment], world.answers[ticks, segment]
    return float(np.average(rates, weights=answers) if answers.any() else rates.mean())
