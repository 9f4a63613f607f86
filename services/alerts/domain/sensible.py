"""What is said of a stream's sensitivity, in numbers and in words."""

from enum import StrEnum
from typing import Final

import msgspec

from services.alerts.domain.sensitivity import Sensitivity
from services.alerts.domain.spans import a_day, in_words

_EDGE: Final = 1.02  # of the smallest rise: what is above it is drift's doing
_AMPLE: Final = 1.3  # times the evidence needed: nine in ten such rises are found (simulated)


class Notices(StrEnum):
    """Whether a doubling would be noticed."""

    YES = "yes"
    MAYBE = "maybe"  # chance decides whether its baseline gives the evidence
    WARMING = "warming-up"
    NEVER = "not-within-a-year"


class StreamSensitivity(msgspec.Struct, frozen=True, kw_only=True):
    """One stream: how many answers and days until an alarm, if detractors doubled now.

    Rates are shares, `least_rise` and `drift_floor` points. `evidence_needed` and
    `evidence_at_most` in nats: what an alarm needs, and about the most its baseline can give.
    """

    metric: str
    survey: str | None
    segment: dict[str, str]
    notices: Notices
    answers_per_day: float
    baseline: float
    baseline_answers: float
    doubled: float
    answers: float | None
    days: float | None
    evidence_needed: float
    evidence_at_most: float
    least_rise: float
    drift_floor: float
    open: bool
    in_words: str


def describe(
    found: Sensitivity, i: int, name: tuple[str, str, dict[str, str]], daily: float, smallest: float
) -> StreamSensitivity:
    """Say what was measured of stream `i`; `smallest`: the smallest rise asked for, a share."""
    never = bool(found.never[i])
    return StreamSensitivity(
        metric=name[0],
        survey=name[1] or None,
        segment=name[2],
        notices=_notices(found, i),
        answers_per_day=round(daily, 2),
        baseline=round(float(found.baseline[i]), 4),
        baseline_answers=round(float(found.mass[i]), 1),
        doubled=round(float(found.doubled[i]), 4),
        answers=None if never else round(float(found.answers[i])),
        days=None if never else round(float(found.days[i]), 4),
        evidence_needed=round(float(found.nats[i]), 2),
        evidence_at_most=round(float(found.ceiling[i]), 2),
        least_rise=round(100 * float(found.least_rise[i]), 2),
        drift_floor=round(100 * float(found.floor[i]), 2),
        open=bool(found.open[i]),
        in_words=_say(found, i, daily, smallest),
    )


def _notices(found: Sensitivity, i: int) -> Notices:
    if not found.warm[i]:
        return Notices.WARMING
    if found.never[i]:
        return Notices.NEVER
    return Notices.YES if found.ceiling[i] >= _AMPLE * found.nats[i] else Notices.MAYBE


def _say(found: Sensitivity, i: int, daily: float, smallest: float) -> str:
    rate, doubled = 100 * found.baseline[i], 100 * found.doubled[i]
    change = f"a doubling from {rate:.1f} to {doubled:.1f} % detractors"
    if found.never[i]:
        said = (
            f"{change} would hardly be noticed within a year at {a_day(daily)}: an alarm needs"
            f" {found.nats[i]:.1f} nats of evidence, and a baseline of {found.mass[i]:.0f} answers"
            f" gives about {found.ceiling[i]:.1f} at most; look at what it is part of"
        )
    else:
        span = in_words(24 * float(found.days[i]))
        said = f"{change} would be noticed in about {span} at {a_day(daily)}"
        if found.ceiling[i] < _AMPLE * found.nats[i]:
            said += ", or not at all: its baseline hardly gives the evidence that an alarm needs"
    if not found.warm[i]:
        said += "; it is warming up: nothing is judged before 50 answers and a day"
    least = 100 * found.least_rise[i]
    if found.least_rise[i] > _EDGE * smallest:
        said += f"; here you cannot be woken for less than {least:+.1f} points: that much drifts"
    return said
