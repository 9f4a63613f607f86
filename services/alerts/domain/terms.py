"""What the operator decides, and what the fleet teaches."""

from dataclasses import dataclass

import numpy as np

from services.alerts.domain.columns import Floats
from services.alerts.domain.state import COMPONENTS

# Alternatives: the smallest shift worth noticing on the logit scale, times these.
SHIFTS: Floats = np.array([1.0, 1.6, 2.5, 4.0])[:, None]
assert len(SHIFTS) == COMPONENTS


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Two numbers of the operator's and the defaults that nobody needs to touch.

    Durations in hours; shares from 0 to 1; counts in answers.
    """

    false_alarms_per_week: float = 1.0  # over all streams together
    smallest_rise: float = 0.05
    evidence_answers: float = 20.0  # no alarm on less since its onset; a gate only removes alarms
    evidence_detractors: float = 8.0
    warm_answers: float = 50.0  # before a stream's answer 51 and its hour 24 nothing is judged
    warm_hours: float = 24.0
    clock: float = 1.0  # most hours of alarm budget that one answer may claim
    rise_gate: float = 0.75  # share of `smallest_rise` that must have been seen
    wobble_cap: float = 0.5  # wobble above this share of `smallest_rise` is news, not noise
    patience: float = 336.0  # an alert this old is the new normal; a quarantine this old leaks
    recovery: float = 1000.0  # odds for recovery that close an alert
    recovery_share: float = 0.7  # of the rise: what the recovery is tested against
    answers_per_false_alarm: float = 1000.0
    least_threshold: float = 300.0


@dataclass(frozen=True, kw_only=True)
class FleetTerms:
    """How much streams vary without anything being wrong.

    Standard deviations on the logit scale; drift in logit² per hour. What is given is where
    `learning` starts from; without it, it stands as given.
    """

    dispersion: float = 1.5  # variance of counts over binomial, where nothing is learned yet
    learning: bool = True
    day_wobble: float = 0.15
    flicker: float = 0.10  # from one clock hour to the next
    drift: float = 2e-5
    hour_offsets: tuple[float, ...] = (0.0,) * 24
    weekday_offsets: tuple[float, ...] = (0.0,) * 7  # Monday first
    own_season: float = 0.03  # how much a stream's hours differ from the fleet's
    first_rate: float = 0.2  # where there is no parent to start from
    first_strength: float = 2.0
    parent_strength: float = 10.0

    def offset_at(self, at_h: float) -> float:
        """Season at that hour, on the logit scale. The epoch's first day was a Thursday."""
        days = int(at_h // 24)
        return self.hour_offsets[int(at_h) % 24] + self.weekday_offsets[(days + 3) % 7]
