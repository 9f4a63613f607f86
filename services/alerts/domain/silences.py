"""Silences: alerts of which nobody is told for a while, and answers that are no evidence.

A silence is about everything that lies inside its matcher: one of region EU covers EU and its
shoes, not the whole survey that they are part of.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from services.alerts.domain.alerts import Alert
from services.alerts.domain.answers import Place, begin_of
from shared.segments import read_segment_key

LONGEST: Final = timedelta(days=90)
_MINUTE: Final = timedelta(minutes=1) - timedelta.resolution


class Phase(StrEnum):
    """Where a silence stands at some moment."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


class Matcher(msgspec.Struct, frozen=True, kw_only=True):
    """What is meant; what is None or not named is every metric, survey, segment."""

    metric: str | None = None
    survey: str | None = None
    segment: dict[str, str] = {}

    def meets(self, metric: str, survey: str | None) -> bool:
        """Whether some of that line is meant."""
        return self.metric in (None, metric) and self.survey in (None, survey)

    def covers(self, metric: str, survey: str | None, segment: Mapping[str, str]) -> bool:
        """Whether all of that lies inside."""
        return self.meets(metric, survey) and self.segment.items() <= segment.items()


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """The reply of `GET /v1/silences/{id}`; from `begins_at` on, before `ends_at`.

    `maintenance`: answers of that time and segment are no evidence either.
    """

    id: str
    matchers: Matcher
    begins_at: datetime = msgspec.field(name="from")
    ends_at: datetime = msgspec.field(name="to")
    maintenance: bool
    by: str
    note: str | None
    created_at: datetime
    ended_by: str | None = None

    def phase(self, now: datetime) -> Phase:
        """Where it stands; one that was ended before it began is over as well."""
        if now >= self.ends_at:
            return Phase.EXPIRED
        return Phase.ACTIVE if now >= self.begins_at else Phase.PENDING

    def holds(self, moment: datetime, span: timedelta = timedelta(0)) -> bool:
        """Whether it lasts at that moment, or at any within so long after it."""
        return self.begins_at <= moment + span and moment < self.ends_at

    def lasts_within(self, begin: datetime, end: datetime) -> bool:
        """Whether some of it lies between; without both ends."""
        return max(begin, self.begins_at) < min(end, self.ends_at)

    def ended(self, by: str, now: datetime) -> "Silence":
        """The same, ended by a person: what it was until now stays so."""
        begins_at = min(self.begins_at, now)
        return msgspec.structs.replace(self, begins_at=begins_at, ends_at=now, ended_by=by)


def silenced_by(alert: Alert, silences: Iterable[Silence], now: datetime) -> tuple[str, ...]:
    """The ids of the silences that keep an alert quiet at that moment, sorted."""
    return tuple(
        sorted(
            silence.id
            for silence in silences
            if silence.holds(now)
            and silence.matchers.covers(alert.metric, alert.survey, alert.segment)
        )
    )


@dataclass(frozen=True)
class Maintenance:
    """Windows whose answers are no evidence, asked by place; an answer counts by its own time."""

    windows: Sequence[Silence]

    def takes(self, place: Place) -> bool:
        """Whether an answer of this place is left out; each minute of a window is so wholly."""
        if not self.windows:
            return False
        at, segment = begin_of(place.minute), read_segment_key(place.leaf)
        survey = place.survey or None
        return any(
            window.holds(at, _MINUTE) and window.matchers.covers(place.metric, survey, segment)
            for window in self.windows
        )
