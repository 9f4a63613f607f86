"""What the replies look like (contracts, section 5)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec

Interval = tuple[float, float]
Met = Literal["yes", "no", "unclear"]
Stands = Literal["above", "below", "level"]
_SPAN = {"start": "from", "end": "to"}


class Counts(msgspec.Struct, frozen=True):
    """Answers by class."""

    promoters: int
    passives: int
    detractors: int


class Before(msgspec.Struct, frozen=True):
    """The window before. `p_adjusted` is for as many comparisons as the question has groups."""

    n: int
    score: float
    change: float | None
    p_value: float | None
    p_adjusted: float | None


class Other(msgspec.Struct, frozen=True):
    """Another group of the question, or all the rest of it; `change` is this less that."""

    segment: dict[str, str] | Literal["rest"]
    n: int
    score: float | None
    change: float | None
    p_value: float | None
    p_adjusted: float | None


class Drawn(msgspec.Struct, frozen=True):
    """The score of few answers drawn towards `centre`, the mean of all groups.

    `towards` is what all the groups are part of, `weight` the share of `centre` in the score.
    """

    score: float
    interval: Interval
    towards: dict[str, str]
    centre: float
    weight: float


class Aim(msgspec.Struct, frozen=True):
    """A target; `met` is yes or no only where the whole interval says so."""

    value: float
    difference: float | None
    met: Met | None


class Mark(msgspec.Struct, frozen=True):
    """What an industry scores, and who says so."""

    industry: str
    value: float
    source: str
    year: int


class Beside(msgspec.Struct, frozen=True):
    """How a group stands to one benchmark; level is within its interval."""

    difference: float | None
    stands: Stands | None


class WeightedScore(msgspec.Struct, frozen=True):
    """What a group would score had all strata answered alike (docs/weighting.md).

    `known`: the events that the strata weigh by; `uncovered`: the share of them in strata from
    which nobody answered.
    """

    score: float
    interval: Interval
    effective_n: float
    strata: int
    known: int
    uncovered: float


class Scored(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One group of `GET /v1/scores`; `share_easy` stands beside a mean only.

    `design_effect`: so many answers tell as much as one that depends on no other. `benchmarks`
    are in the order of the reply's. `against` and `weighted` are there when they are asked for.
    """

    segment: dict[str, str]
    n: int
    score: float | None
    share_easy: float | msgspec.UnsetType | None = msgspec.UNSET
    interval: Interval | None
    design_effect: float
    sufficient: bool
    counts: Counts
    distribution: tuple[int, ...] | None
    invited: int
    response_rate: float | None
    response_rate_interval: Interval | None
    previous: Before | None
    against: Other | msgspec.UnsetType | None = msgspec.UNSET
    shrunk: Drawn | None
    weighted: WeightedScore | msgspec.UnsetType | None = msgspec.UNSET
    target: Aim | None
    benchmarks: Sequence[Beside]


class Scores(msgspec.Struct, frozen=True, kw_only=True, rename=_SPAN):
    """`GET /v1/scores`; `clusters` is what intervals are widened for."""

    metric: str
    start: datetime
    end: datetime
    as_of: datetime
    behind_s: float | None
    level: float
    clusters: Sequence[str]
    benchmarks: Sequence[Mark]
    next: str | None
    groups: Sequence[Scored]


class Point(msgspec.Struct, frozen=True, kw_only=True, rename=_SPAN):
    """One bucket of one group."""

    start: datetime
    end: datetime
    n: int
    score: float | None
    share_easy: float | msgspec.UnsetType | None = msgspec.UNSET
    interval: Interval | None
    design_effect: float
    sufficient: bool
    counts: Counts


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One group of `GET /v1/trend`; `n` is that of the whole window, `target` a score."""

    segment: dict[str, str]
    n: int
    target: float | None
    points: Sequence[Point]


class Trend(msgspec.Struct, frozen=True, kw_only=True, rename=_SPAN):
    """`GET /v1/trend`."""

    metric: str
    start: datetime
    end: datetime
    bucket: str
    tz: str
    as_of: datetime
    behind_s: float | None
    level: float
    clusters: Sequence[str]
    benchmarks: Sequence[Mark]
    next: str | None
    groups: Sequence[Line]


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """One event of `GET /v1/stream`."""

    metric: str
    survey: str | None
    window: str
    segment: dict[str, str]
    n: int
    score: float | None
    interval: Interval | None
    sufficient: bool
    as_of: datetime
    behind_s: float | None
