"""Simulated fleets: 1,000 uneven segments over twelve weeks of 15-minute ticks.

Volumes are log-uniform from 1 to 1,000,000 answers a day, base rates Beta(3, 12) within .05 and
.40, volume follows the hours of the day and the weekend. What departs from that is a `Recipe`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import expit, logit

TICK_H = 0.25
TICKS_A_DAY = 96
FIRST_H = (
    2920 * 168 + 96
)  # a Monday in 2025, in hours since the epoch, whose first day was a Thursday

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Departure: TypeAlias = Callable[[Generator, int, int], Floats]


@dataclass(frozen=True)
class Size:
    """How much of a world: segments, weeks to learn, weeks that are counted."""

    segments: int = 1000
    learning: int = 4
    weeks: int = 8

    @property
    def hours(self) -> int:
        return (self.learning + self.weeks) * 168

    @property
    def counted_from_h(self) -> float:
        return FIRST_H + self.learning * 168.0


@dataclass(frozen=True)
class World:
    """Counts by tick and segment, and the true rates behind them."""

    size: Size
    volumes: Floats  # answers a day, by segment
    rates: Floats
    answers: Ints
    detractors: Ints

    def hour_of(self, tick: float) -> float:
        """The hour at which a tick begins."""
        return FIRST_H + tick * TICK_H


@dataclass(frozen=True)
class Recipe:
    """What departs from a stationary fleet: sums of log odds by hour, volumes, clusters."""

    departures: tuple[Departure, ...] = ()
    bursts: bool = False
    paired: bool = False
    most: float = 1e6  # answers a day of the largest segment


def drift(sd: float, days: float = 10.0) -> Departure:
    """Ornstein-Uhlenbeck paths of that stationary sd and time constant."""
    kept = float(np.exp(-1 / (24 * days)))

    def path(rng: Generator, hours: int, segments: int) -> Floats:
        x = np.empty((hours, segments))
        x[0] = sd * rng.standard_normal(segments)
        for hour in range(1, hours):
            shock = sd * np.sqrt(1 - kept * kept) * rng.standard_normal(segments)
            x[hour] = kept * x[hour - 1] + shock
        return x

    return path


def jitter(sd: float, every_h: int) -> Departure:
    """A fresh shift every so many hours, by segment."""

    def path(rng: Generator, hours: int, segments: int) -> Floats:
        drawn = sd * rng.standard_normal((-(-hours // every_h), segments))
        return np.repeat(drawn, every_h, axis=0)[:hours]

    return path


def shared_season(amplitude: float) -> Departure:
    """The same day curve in all segments."""

    def path(rng: Generator, hours: int, segments: int) -> Floats:
        day = amplitude * np.sin(2 * np.pi * (np.arange(hours) - 9) / 24)
        return np.repeat(day[:, None], segments, axis=1)

    return path


def own_season(sd: float) -> Departure:
    """A day curve of each segment's own: two harmonics, three quarters of the variance in one."""

    def path(rng: Generator, hours: int, segments: int) -> Floats:
        hour = 2 * np.pi * np.arange(24)[:, None] / 24
        curve = np.zeros((24, segments))
        for harmonic, share in ((1, 0.75), (2, 0.25)):
            a, b = sd * np.sqrt(share) * rng.standard_normal((2, segments))
            curve += a * np.cos(harmonic * hour) + b * np.sin(harmonic * hour)
        return np.tile(curve, (-(-hours // 24), 1))[:hours]

    return path


def steps(sd: float, every_h: float = 720.0) -> Departure:
    """Lasting steps of that sd, about one a month in each segment: real changes."""

    def path(rng: Generator, hours: int, segments: int) -> Floats:
        happens = rng.random((hours, segments)) < 1 / every_h
        return np.cumsum(happens * sd * rng.standard_normal((hours, segments)), axis=0)

    return path


SEASON = shared_season(0.08)
STATIONARY = Recipe()
DRIFTING = Recipe((drift(0.10), SEASON))


def draw_volumes(rng: Generator, size: Size, recipe: Recipe) -> tuple[Floats, Floats]:
    """Answers a day of each segment, and the expected answers of each hour."""
    volumes = np.exp(rng.uniform(0, np.log(recipe.most), size.segments))
    hour = np.arange(size.hours)
    day = 1 + 0.8 * np.sin(2 * np.pi * (hour - 8) / 24)
    weekend = np.where(hour // 24 % 7 >= 5, 0.6, 1.16)
    expected = (day * weekend)[:, None] * volumes / 24
    if recipe.bursts:
        starts = rng.random(expected.shape) < 1 / (14 * 24)
        passed = np.cumsum(starts, axis=0)
        lasts = passed - np.vstack([np.zeros((6, size.segments)), passed[:-6]]) > 0
        expected *= np.where(lasts, 10.0, 1.0)
    return volumes, expected


def base_rates(rng: Generator, segments: int) -> Floats:
    drawn = rng.beta(3, 12, 4 * segments)
    return drawn[(drawn >= 0.05) & (drawn <= 0.40)][:segments]


def draw_world(
    seed: int, recipe: Recipe = STATIONARY, size: Size | None = None, shift: Floats | None = None
) -> World:
    """Draw a world; `shift` adds to the log odds by hour and segment."""
    size = size or Size()
    rng = np.random.default_rng(seed)
    base = logit(base_rates(rng, size.segments))
    volumes, expected = draw_volumes(rng, size, recipe)
    odds = np.repeat(base[None, :], size.hours, axis=0)
    for departure in recipe.departures:
        odds += departure(rng, size.hours, size.segments)
    if shift is not None:
        odds += shift
    rates = np.repeat(expit(odds), 4, axis=0)
    lots = rng.poisson(np.repeat(expected / 4 / (2 if recipe.paired else 1), 4, axis=0))
    detractors = rng.binomial(lots, rates)
    pair = 2 if recipe.paired else 1
    return World(size, volumes, rates, pair * lots, pair * detractors)


def deliver_late(world: World, seed: int, share: float = 0.1, mean_h: float = 12.0) -> World:
    """Let that share of the answers come after an exponential delay; they count on arrival."""
    rng = np.random.default_rng(seed)
    leaves = 1 - np.exp(-TICK_H / mean_h)
    counts = np.stack([world.detractors, world.answers - world.detractors])
    held = rng.binomial(counts, share)
    arrived = counts - held
    waiting = np.zeros((2, world.size.segments), np.int64)
    for tick in range(counts.shape[1]):
        out = rng.binomial(waiting, leaves)
        waiting += held[:, tick] - out
        arrived[:, tick] += out
    return replace(world, detractors=arrived[0], answers=arrived.sum(axis=0))
