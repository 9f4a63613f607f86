"""What the replies look like (contracts, section 5)."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from services.scoring.domain.questions import Group
from services.scoring.domain.scores import Previous, Score, compare, score_of
from services.scoring.domain.windows import Window
from shared.programme.metrics import Metric, ScoreKind
from shared.tally import Tally


class Counts(msgspec.Struct, frozen=True):
    promoters: int
    passives: int
    detractors: int


class Before(msgspec.Struct, frozen=True):
    n: int
    score: float
    change: float | None
    p_value: float | None


class Scored(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One group of `GET /v1/scores`; `share_easy` stands beside a mean only."""

    segment: dict[str, str]
    n: int
    score: float | None
    share_easy: float | msgspec.UnsetType | None = msgspec.UNSET
    interval: tuple[float, float] | None
    sufficient: bool
    counts: Counts
    distribution: tuple[int, ...] | None
    invited: int
    response_rate: float | None
    previous: Before | None


class Scores(msgspec.Struct, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """`GET /v1/scores`."""

    metric: str
    start: datetime
    end: datetime
    as_of: datetime
    behind_s: float
    level: float
    next: str | None
    groups: Sequence[Scored]


class Point(msgspec.Struct, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """One bucket of one group."""

    start: datetime
    end: datetime
    n: int
    score: float | None
    share_easy: float | msgspec.UnsetType | None = msgspec.UNSET
    interval: tuple[float, float] | None
    sufficient: bool
    counts: Counts


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One group of `GET /v1/trend`; `n` is that of the whole window."""

    segment: dict[str, str]
    n: int
    points: Sequence[Point]


class Trend(msgspec.Struct, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """`GET /v1/trend`."""

    metric: str
    start: datetime
    end: datetime
    bucket: str
    tz: str
    as_of: datetime
    behind_s: float
    level: float
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
    interval: tuple[float, float] | None
    as_of: datetime


def scored(
    segment: dict[str, str], now: Group, before: Group, metric: Metric, sufficient: int
) -> Scored:
    """One group with its interval, and what the window before says."""
    tally = now.tally
    score = score_of(tally, metric, sufficient=sufficient)
    previous = compare(tally, before.tally, metric)
    return Scored(
        segment=segment,
        n=tally.n,
        score=score.score,
        share_easy=_share_easy(score, metric),
        interval=score.interval,
        sufficient=score.sufficient,
        counts=_counts(tally),
        distribution=_distribution(tally, metric),
        invited=now.invited,
        response_rate=now.response_rate,
        previous=_before(previous),
    )


def point(window: Window, tally: Tally, metric: Metric, sufficient: int) -> Point:
    """One bucket with its interval."""
    score = score_of(tally, metric, sufficient=sufficient)
    return Point(
        start=window.start,
        end=window.end,
        n=tally.n,
        score=score.score,
        share_easy=_share_easy(score, metric),
        interval=score.interval,
        sufficient=score.sufficient,
        counts=_counts(tally),
    )


def _before(previous: Previous | None) -> Before | None:
    if previous is None:
        return None
    return Before(previous.n, previous.score, previous.change, previous.p_value)


def _counts(tally: Tally) -> Counts:
    return Counts(tally.promoters, tally.passives, tally.detractors)


def _distribution(tally: Tally, metric: Metric) -> tuple[int, ...] | None:
    return (0,) * len(metric.points) if tally.distribution == () else tally.distribution


def _share_easy(score: Score, metric: Metric) -> float | msgspec.UnsetType | None:
    if metric.score is not ScoreKind.MEAN:
        return msgspec.UNSET
    return 100 * score.tally.promoters / score.tally.n if score.tally.n else None
