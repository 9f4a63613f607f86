"""Learn what the hour of the day and the weekday do to a rate: the fleet's, and each stream's own.

Offsets are logits. Each is a weighted mean x of excess over the usual rate with variance v, shrunk
to 0 by t² / (t² + v), where t² is how much offsets truly vary, by moments (James and Stein 1961;
Efron and Morris 1973). For the fleet v = phi / I + sw² / days with I the binomial information, and
nothing is said before 3 days (hours) or 14 days (weekdays). A stream's own are what it departs
from the fleet's by; its t² is shrunk to that of all streams, and nothing is said before 7 days.
What is older than four weeks fades.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np

from services.alerts.domain.columns import Flags, Floats, Ints
from services.alerts.domain.frame import DAY_H, MEMORY_H
from services.alerts.domain.state import HOURS, FleetState

WEEKDAYS: Final = 7
HOURS_AFTER_DAYS, WEEKDAYS_AFTER_DAYS, OWN_AFTER_DAYS = 3, 14, 7
MOST_ANSWERS: Final = 200.0  # of one stream's hour that count in the fleet's offsets
LEAST_INFORMATION: Final = 5.0
LARGEST_VARIANCE: Final = 0.5
LARGEST_OFFSET: Final = 1.0
PRIOR_VARIANCE: Final = 0.01  # of the fleet's offsets, as if seen for so many days:
PRIOR_DAYS: Final = {HOURS: 7.0, WEEKDAYS: 28.0}
OWN_PRIOR_HOURS: Final = 1000.0  # for the fleet's
STREAM_PRIOR_HOURS: Final = 12.0  # for a stream's
LEAST_NOISE: Final = 0.05**2  # between the same hours of two days, that no number of answers mends
TYPICAL: Final = 0.05**2  # a season worth knowing: hours that could show it count


def weekdays_of(days: Floats) -> Ints:
    """Monday is 0; the epoch's first day was a Thursday."""
    found: Ints = ((days + 3) % WEEKDAYS).astype(np.intp)
    return found


@dataclass
class Seasons:
    """Information and excess by hour and by weekday, of streams that share no answer, fading."""

    hours: Floats = field(default_factory=lambda: np.zeros((2, HOURS)))
    weekdays: Floats = field(default_factory=lambda: np.zeros((2, WEEKDAYS)))

    def note(
        self, hour: Ints, day: Ints, excess: tuple[Floats, Floats], information: Floats
    ) -> None:
        """Add excess detractors: over the usual rate, and over the usual rate of that hour."""
        for sums, places, over in ((self.hours, hour, excess[0]), (self.weekdays, day, excess[1])):
            size = sums.shape[1]
            sums[0] += np.bincount(places, information, size)
            sums[1] += np.bincount(places, over, size)

    def fade(self, hours: float) -> None:
        """Let time pass."""
        kept = float(np.exp(-hours / MEMORY_H))
        self.hours *= kept
        self.weekdays *= kept

    def learn(
        self, days: float, dispersion: float, wobble: float
    ) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Give offsets by hour and by weekday after so many days."""
        hours: tuple[float, ...] = (0.0,) * HOURS
        weekdays: tuple[float, ...] = (0.0,) * WEEKDAYS
        if days >= HOURS_AFTER_DAYS:
            hours = shrink(self.hours, days, dispersion, wobble**2 / days)
        if days >= WEEKDAYS_AFTER_DAYS:
            weekdays = shrink(self.weekdays, days, dispersion, wobble**2 * WEEKDAYS / days)
        return hours, weekdays

    def to_record(self) -> dict[str, list[list[float]]]:
        """Give plain values for JSON."""
        return {"hours": self.hours.tolist(), "weekdays": self.weekdays.tolist()}

    @classmethod
    def from_record(cls, record: Mapping[str, list[list[float]]]) -> Self:
        """Take back what `to_record` gave."""
        return cls(np.array(record["hours"]), np.array(record["weekdays"]))


def shrink(sums: Floats, days: float, dispersion: float, noise: float) -> tuple[float, ...]:
    """Give each offset around their mean, as far as it is known."""
    information, excess = sums
    known = np.maximum(information, 1e-9)
    mean = excess / known
    mean -= (mean * known).sum() / known.sum()
    variance = dispersion / known + noise
    used = information > LEAST_INFORMATION
    varies = max(float(((mean**2 - variance) * used).sum()) / max(int(used.sum()), 1), 0.0)
    prior = PRIOR_DAYS[len(known)]
    varies = min((varies * days + PRIOR_VARIANCE * prior) / (days + prior), LARGEST_VARIANCE)
    offsets = np.clip(mean * varies / (varies + variance), -LARGEST_OFFSET, LARGEST_OFFSET)
    return tuple(offsets.tolist())


def note_own(
    rows: FleetState, hour: Ints, excess: Floats, precision: Floats, variance: float
) -> None:
    """Add one hour's excess over the fleet's season (logits) to each stream's profile.

    Beyond 3 sd of what it was thought to be it is cut: a spike does not become a season in a day.
    `variance`: of a day, and of what is not known yet.
    """
    kept = np.exp(-DAY_H / MEMORY_H)
    limit = 3 * np.sqrt(1 / np.maximum(precision, 1e-9) + variance)
    excess = np.clip(excess, rows.own_offset - limit, rows.own_offset + limit)
    at = hour, np.arange(len(hour))
    rows.profile_weight[at] = kept * rows.profile_weight[at] + precision
    rows.profile_sum[at] = kept * rows.profile_sum[at] + precision * excess


def own_offsets(rows: FleetState, hour: int, own_season: float) -> tuple[Floats, Floats]:
    """Give each stream's own offset in an hour of the day, and the variance that it leaves."""
    mean, variance = _around_mean(rows.profile_weight, rows.profile_sum, own_season)
    counts, seen = _moments(mean, variance)
    varies = STREAM_PRIOR_HOURS * own_season**2 + seen.sum(axis=0)
    varies = np.maximum(varies / (STREAM_PRIOR_HOURS + counts.sum(axis=0)), 1e-12)
    share = varies / (varies + variance[hour])
    offset = np.clip(share * mean[hour], -LARGEST_OFFSET, LARGEST_OFFSET)
    return offset, share * variance[hour]


def learn_own(
    fleet: FleetState, which: Ints, own_season: float, prior: float, overlap: float
) -> float:
    """Give how much streams' own hours vary (sd), from the profiles of `which` streams."""
    if not len(which):
        return own_season
    stored = fleet.rows(which)
    mean, variance = _around_mean(stored.profile_weight, stored.profile_sum, own_season)
    counts, seen = _moments(mean, variance)
    weight = OWN_PRIOR_HOURS * overlap
    varies = (weight * prior**2 + seen.sum()) / (weight + counts.sum())
    return float(np.sqrt(max(varies, 0.0)))


def _around_mean(weight: Floats, total: Floats, own_season: float) -> tuple[Floats, Floats]:
    """Mean and variance by hour, around the stream's mean: its level is not its season."""
    variance = 1 / np.maximum(weight, 1e-9)
    mean = total * variance
    used = 1 / (variance + own_season**2 + TYPICAL)
    return mean - (used * mean).sum(axis=0) / used.sum(axis=0), variance


def _moments(mean: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """How much each hour tells of t², and what it says times that; cut at 3 sd."""
    counts = (TYPICAL / (TYPICAL + variance)) ** 2
    limit = 9 * (variance + 4 * TYPICAL)
    return counts, counts * (np.minimum(mean**2, limit) - variance)


def is_old_enough(rows: FleetState, now_h: float) -> Flags:
    """Tell which streams are known for long enough to have a season of their own."""
    return now_h - rows.first_at >= OWN_AFTER_DAYS * DAY_H
