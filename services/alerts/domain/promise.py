"""What was promised beside what came: alarms a week, counted by judging the past again.

Counts are Poisson: the interval is the exact one of Garwood (1936), 95 %. Never a count alone: one
alarm in four weeks is anything from one in three years to one every five days.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from math import sqrt
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from scipy.special import gammaincinv

AUDITED: Final = timedelta(days=28)
WARM: Final = timedelta(days=28)  # before them, so that the fleet knows what it knew in earnest
LEAST: Final = timedelta(days=1)
BEFORE: Final = timedelta(days=14)  # with which an alarm's answers are compared
AFTER: Final = timedelta(days=14)
FALSE_BELOW: Final = 0.025  # of a rise, as a share
ENOUGH: Final = 20  # answers after the opening; with fewer nobody can tell
DISPERSION: Final = 1.5
Z95: Final = 1.645
QUIET_HOUR: Final = 4  # by the programme's clock
_DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(days=7)
CAVEAT: Final = (
    "Alarms count every alarm, those of real rises too: only false ones are promised to be few. An"
    " alarm is judged false where the answers after it opened, which did not select it, are less"
    " than 2.5 points above the 14 days before it began; a real fault that was over by then counts"
    " as false too. Where they are fewer than 20, or chance explains the rise, it is undecided and"
    " counts in the upper bound alone."
)


class Verdict(StrEnum):
    """What the answers after an alarm say of it."""

    REAL = "real"
    FALSE = "false"
    UNDECIDED = "undecided"


class Sample(NamedTuple):
    """Answers of some time, the detractors among them, and how many independent ones tell as much.

    Those of one cluster and day are alike: `worth` is less than `answers` then.
    """

    answers: int
    detractors: int
    worth: float


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """Alarms by verdict."""

    real: int = 0
    false: int = 0
    undecided: int = 0

    @property
    def all(self) -> int:
        return self.real + self.false + self.undecided


class Weekly(msgspec.Struct, frozen=True, kw_only=True):
    """A number a week, with its 95 % interval."""

    value: float
    interval: tuple[float, float]


NOTHING: Final = Weekly(value=0.0, interval=(0.0, float("inf")))


class Standard(StrEnum):
    """Whether the promise stands, as far as the interval can tell."""

    KEPT = "kept"
    NOT_REFUTED = "not-refuted"
    BROKEN = "broken"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A line, or all of them (`metric` and `survey` None), against its part of the promise."""

    metric: str | None
    survey: str | None
    streams: int
    answers: int
    alarms: Tally
    promised_per_week: float
    alarms_per_week: Weekly = NOTHING
    false_alarms_per_week: Weekly = NOTHING
    promise: Standard = Standard.NOT_REFUTED


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """The reply of `GET /v1/promise`: answers from `begin` up to `end`, judged again.

    The fleet was warmed with answers from `warm_from` on. `complete`: four weeks were there.
    """

    made_at: datetime
    warm_from: datetime
    begin: datetime = msgspec.field(name="from")
    end: datetime = msgspec.field(name="to")
    complete: bool
    seconds: float
    smallest_rise: float
    all: Part
    lines: tuple[Part, ...]
    caveat: str = CAVEAT


def weekly(counted: int, most: int, weeks: float) -> Weekly:
    """A rate from a count; `most` adds what may have to be counted, to the upper bound alone."""
    low = float(gammaincinv(counted, 0.025)) if counted else 0.0
    high = float(gammaincinv(most + 1, 0.975))
    interval = round(low / weeks, 4), round(high / weeks, 4)
    return Weekly(value=round(counted / weeks, 4), interval=interval)


def verdict(before: Sample, after: Sample) -> Verdict:
    """Judge an alarm by the answers before its onset and after its opening.

    Real needs a rise that chance does not explain: above 0 at 95 %, one-sided, with answers that
    vary half as much again as a binomial.
    """
    if after.worth < ENOUGH or not before.answers:
        return Verdict.UNDECIDED
    normal = before.detractors / before.answers
    rise = after.detractors / after.answers - normal
    if rise < FALSE_BELOW:
        return Verdict.FALSE
    unsure = sqrt(DISPERSION * normal * (1 - normal) * (1 / after.worth + 1 / before.worth))
    return Verdict.REAL if rise > Z95 * unsure else Verdict.UNDECIDED


def tally(verdicts: Sequence[Verdict]) -> Tally:
    """Count."""
    return Tally(**{one.value: verdicts.count(one) for one in Verdict})


def standard(false: Weekly, promised: float) -> Standard:
    """Whether the promise stands: broken where even the lower bound is above it."""
    low, high = false.interval
    if high <= promised:
        return Standard.KEPT
    return Standard.BROKEN if low > promised else Standard.NOT_REFUTED


def is_due(newest: datetime | None, now: datetime, zone: ZoneInfo) -> bool:
    """Whether an audit is to be made: at the quiet hour, and where none is younger than a day."""
    if newest is None or now - newest >= _DAY:
        return True
    local = now.astimezone(zone)
    return local.hour == QUIET_HOUR and newest.astimezone(zone).date() < local.date()


def weigh(part: Part, weeks: float) -> Part:
    """The same with its rates, from the alarms of so many weeks."""
    alarms = part.alarms
    false = weekly(alarms.false, alarms.false + alarms.undecided, weeks)
    return msgspec.structs.replace(
        part,
        alarms_per_week=weekly(alarms.all, alarms.all, weeks),
        false_alarms_per_week=false,
        promise=standard(false, part.promised_per_week),
    )


def together(parts: Sequence[Part], promised: float) -> Part:
    """All lines as one, not weighed yet."""
    return Part(
        metric=None,
        survey=None,
        streams=sum(part.streams for part in parts),
        answers=sum(part.answers for part in parts),
        alarms=Tally(
            real=sum(part.alarms.real for part in parts),
            false=sum(part.alarms.false for part in parts),
            undecided=sum(part.alarms.undecided for part in parts),
        ),
        promised_per_week=promised,
    )
