"""The parts of an alert: sizes, shares, words."""

from datetime import datetime

import msgspec


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of detractors, 0 to 1; the interval is of the current one, 95 %."""

    baseline: float
    current: float
    interval: tuple[float, float]


class Rise(msgspec.Struct, frozen=True, kw_only=True):
    """Percentage points, with their 95 % interval, shrunk for having raised an alarm.

    It stands as at the alert's last revision, and is less than current - baseline at first.
    """

    points: float
    interval: tuple[float, float]


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """The e-value when the alert was raised, and what is promised of all alerts together."""

    e_value: float
    false_alarms_per_week: float


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """A segment and its share of the excess detractors."""

    segment: dict[str, str]
    share: float


class ReasonShare(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A reason's share among the detractors since the onset, and how that changed.

    `n`: detractors who gave it. `interval`: of the change, 95 %. `elsewhere`: its share among the
    detractors of the rest of the line since the onset, None where there are none.
    """

    reason: str
    share: float
    change: float
    n: int = 0
    interval: tuple[float, float] | None = None
    elsewhere: float | None = None


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """What a person said of an alert."""

    by: str
    note: str | None
    at: datetime


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How big it is: all numbers that grow while an alert is open."""

    n: int
    detractors: int
    rates: Rates
    rise: Rise
    hurt_per_hour: float


class Location(msgspec.Struct, frozen=True, kw_only=True):
    """Where it is: the slices, the first of them is the alert's segment, and what they explain."""

    slices: tuple[Slice, ...]
    explains: float


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """What is behind it: the reasons that grew, a few comments."""

    top_reasons: tuple[ReasonShare, ...]
    sample_comments: tuple[str, ...]


class Crossing(msgspec.Struct, frozen=True, kw_only=True):
    """A stream that crossed its threshold: since when it rose, when it crossed, how big then."""

    segment: dict[str, str]
    began_at: datetime
    opened_at: datetime
    n: int
    rates: Rates
