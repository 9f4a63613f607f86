"""What the fleet learned of itself up to the turn of an event day, and what it judges by since."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Self

import numpy as np

from services.alerts.domain.columns import Floats
from services.alerts.domain.dispersion import Dispersion, learn_fleet
from services.alerts.domain.frame import DAY_H, MEMORY_H, Minute
from services.alerts.domain.hours import Lessons
from services.alerts.domain.seasons import Seasons, is_old_enough, learn_own
from services.alerts.domain.state import FleetState
from services.alerts.domain.terms import FleetTerms
from services.alerts.domain.wobble import Wobble

LEAST_STRENGTH, MOST_STRENGTH = 3.0, 40.0
STRENGTH_PRIOR: Final = 4.0  # streams of 50 answers or more that the prior weighs
SURE_ANSWERS: Final = 50.0
_TERMS: Final = (
    "day_wobble", "flicker", "drift", "hour_offsets", "weekday_offsets", "own_season",
    "parent_strength",
)  # fmt: skip


@dataclass
class Learned:
    """The sums, the terms that they give as of the last turn of a day, and the dispersion.

    `first_h`: the hour since which there is something to learn from.
    """

    given: FleetTerms
    terms: FleetTerms
    dispersion: Dispersion
    lessons: Lessons
    first_h: float | None = None
    turned_h: float | None = None

    @classmethod
    def start(cls, given: FleetTerms) -> Self:
        """Nothing is learned yet."""
        dispersion = Dispersion(fleet=given.dispersion)
        return cls(given, given, dispersion, Lessons(Wobble(), Seasons()))

    def turn(self, fleet: FleetState, minute: Minute) -> None:
        """Begin the event day of that minute, with what the days before it told."""
        began = minute.began_h
        if self.first_h is None:
            self.first_h = began
        passed = began - (self.turned_h if self.turned_h is not None else began)
        self.turned_h = began
        given, lessons = self.given, self.lessons
        self.dispersion = learn_fleet(fleet, began, given)
        lessons.wobble.fade(passed)
        lessons.seasons.fade(passed)
        shared = overlap(fleet)
        day_wobble, flicker, drift = lessons.wobble.learn(given, shared)
        days = min((began - self.first_h), MEMORY_H) / DAY_H
        hours, weekdays = lessons.seasons.learn(days, self.dispersion.fleet, given.day_wobble)
        old = np.flatnonzero(is_old_enough(fleet, began))
        self.terms = replace(
            given,
            day_wobble=day_wobble,
            flicker=flicker,
            drift=drift,
            hour_offsets=hours,
            weekday_offsets=weekdays,
            own_season=learn_own(fleet, old, self.terms.own_season, given.own_season, shared),
            parent_strength=learn_strength(fleet, given.parent_strength),
        )

    def to_record(self) -> dict[str, Any]:
        """Give plain values for JSON."""
        return {
            "dispersion": asdict(self.dispersion),
            "terms": {name: getattr(self.terms, name) for name in _TERMS},
            "wobble": asdict(self.lessons.wobble),
            "seasons": self.lessons.seasons.to_record(),
            "first_h": self.first_h,
            "turned_h": self.turned_h,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any], given: FleetTerms) -> Self:
        """Take back what `to_record` gave; what an older version did not know starts anew."""
        learned = cls.start(given)
        learned.dispersion = Dispersion(**record["dispersion"])
        if "terms" in record:
            known: dict[str, Any] = {
                k: tuple(v) if isinstance(v, list) else v for k, v in record["terms"].items()
            }
            learned.terms = replace(given, **known)
            wobble = Wobble.from_record(record["wobble"])
            learned.lessons = Lessons(wobble, Seasons.from_record(record["seasons"]))
            learned.first_h, learned.turned_h = record["first_h"], record["turned_h"]
        return learned


def overlap(fleet: FleetState) -> float:
    """Tell how many streams an answer is in."""
    return max(float(fleet.seen.sum() / max(fleet.seen[fleet.level == 0].sum(), 1.0)), 1.0)


def learn_strength(fleet: FleetState, prior: float) -> float:
    """Give the pseudo-answers that a parent's rate is worth to a new stream, by beta moments.

    Between streams rates vary by rho p q with strength = 1 / rho - 1 (Griffiths 1973), from 3 to
    40; the prior weighs as much as four streams that are well known.
    """
    mass = fleet.baseline_detractors + fleet.baseline_others
    known = np.flatnonzero((fleet.parent >= 0) & (mass > prior))
    weight, rho = STRENGTH_PRIOR, STRENGTH_PRIOR / (1 + prior)
    if len(known):
        own, above = _rates(fleet, mass, known), _rates(fleet, mass, fleet.parent[known])
        own_weight = np.minimum(mass[known], SURE_ANSWERS) / SURE_ANSWERS
        spread = np.maximum(above * (1 - above), 1e-3)
        rho += float((own_weight * ((own - above) ** 2 / spread - 1 / mass[known])).sum())
        weight += float(own_weight.sum())
    return float(np.clip(weight / max(rho, 1e-9) - 1, LEAST_STRENGTH, MOST_STRENGTH))


def _rates(fleet: FleetState, mass: Floats, index: Any) -> Floats:
    rates: Floats = fleet.baseline_detractors[index] / np.maximum(mass[index], 1e-9)
    return rates
