"""The promise as thresholds: what the false alarms allowed are divided by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from services.alerts.domain.columns import Floats, Ints
from services.alerts.domain.frame import WEEK_H
from services.alerts.domain.terms import Policy

LEVELS = 3
DAY_H = 24.0
WINDOW_DAYS = 28


@dataclass
class Budget:
    """Alarm budget by number of dimensions, from the clock hours that streams really claimed.

    A_l = c_l * levels * max(1 / false alarms a week, 1000 / answers a week), at least 300, where
    c_l are the hours a week charged at level l over the trailing four weeks, in the first four
    blended with every hour of every stream. Then at most the promised alarms come up a week and
    one per 1,000 answers: a Shiryaev-Roberts statistic passes A once in A hours charged (Shin,
    Ramdas, Rinaldo 2023), and levels share equally. Thresholds change when an event day begins and
    know only the days before it.
    """

    first_h: float | None = None
    day: int | None = None
    log_thresholds: Floats = field(default_factory=lambda: np.full(LEVELS, np.inf))
    days: dict[int, Floats] = field(default_factory=dict)  # hours of each level, then answers

    def is_new_day(self, middle_h: float) -> bool:
        """Tell whether an event day begins with that hour."""
        return self.day is None or int(middle_h // DAY_H) > self.day

    def turn(self, middle_h: float, streams: Ints, policy: Policy) -> None:
        """Begin the event day of that hour: thresholds anew, what left the window forgotten."""
        self.log_thresholds = self.divide(middle_h, streams, policy)
        self.day = day = int(middle_h // DAY_H)
        self.days = {d: entry for d, entry in self.days.items() if d >= day - WINDOW_DAYS}

    def charge(self, began_h: float, level: Ints, hours: Floats, answers: Floats) -> None:
        """Note what the streams of one minute claimed; `answers` count at level 0 only."""
        if self.first_h is None:
            self.first_h = began_h
        entry = self.days.setdefault(int(began_h // DAY_H), np.zeros(LEVELS + 1))
        entry[:LEVELS] += np.bincount(level, hours, LEVELS)[:LEVELS]
        entry[LEVELS] += answers[level == 0].sum()

    def divide(self, middle_h: float, streams: Ints, policy: Policy) -> Floats:
        """Give the log thresholds by level for the day of that hour; `streams`: seen by level."""
        day = int(middle_h // DAY_H)
        full = np.asarray(streams, float) * WEEK_H
        known = [x for d, x in self.days.items() if day - WINDOW_DAYS <= d < day]
        if self.first_h is None or not known:
            if self.day is not None:
                return self.log_thresholds
            weekly, answers = full, np.inf
        else:
            weeks = min(max((day * DAY_H - self.first_h) / WEEK_H, 1 / 7), WINDOW_DAYS / 7)
            claimed = np.sum(known, axis=0) / weeks
            sure = weeks / (WINDOW_DAYS / 7)
            weekly = np.minimum(sure * claimed[:LEVELS] + (1 - sure) * full, full)
            answers = max(float(claimed[LEVELS]), 1.0)
        price = max(1 / policy.false_alarms_per_week, policy.answers_per_false_alarm / answers)
        levels = max(int(np.count_nonzero(streams)), 1)
        return np.asarray(np.log(np.maximum(weekly * levels * price, policy.least_threshold)))

    def to_record(self) -> dict[str, Any]:
        """Give plain values for JSON."""
        return {
            "first_h": self.first_h,
            "day": self.day,
            "log_thresholds": [x if np.isfinite(x) else None for x in self.log_thresholds.tolist()],
            "days": {str(day): entry.tolist() for day, entry in self.days.items()},
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Take back what `to_record` gave."""
        thresholds = [np.inf if x is None else x for x in record["log_thresholds"]]
        return cls(
            first_h=record["first_h"],
            day=record["day"],
            log_thresholds=np.array(thresholds, float),
            days={int(day): np.array(entry, float) for day, entry in record["days"].items()},
        )
