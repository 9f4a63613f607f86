"""How many to ask, so that each segment's score is as sure as its trigger wants and no surer.

Asking goes on until the interval is narrow enough: the sequential rule of Chow and Robbins (1965,
Ann. Math. Stat. 36, 457-462), on the intervals of `shared.intervals`, whose imagined answers keep
it from stopping on a few that are alike. Who has been asked and may still answer counts with what
is expected of him, so that late answers are not asked for twice.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from math import sqrt
from typing import Final

from services.trigger.domain.facts import Margin
from shared.intervals import METHODS
from shared.programme.metrics import IntervalKind, Metric
from shared.programme.models import Programme
from shared.tally import Tally

Pair = tuple[str, str]  # survey, dimension ("": the whole survey)
Segment = tuple[str, str]  # trigger, value of its `target_by` ("": the whole survey)

NEAR: Final = 0.2  # the last fifth of the answers is asked for ever more slowly
RATE: Final = 0.2  # of those asked who answer, until it is known
RATE_WEIGHT: Final = 20.0  # in askings
_DAY: Final = timedelta(days=1)
_LEARNT: Final = timedelta(days=30)  # at least so long response rates are looked back for
_SPREAD: Final = {IntervalKind.NET: 100.0, IntervalKind.SHARE: 50.0, IntervalKind.MEAN: 50.0}
_SAFE: Final = 2.0  # standard errors, a little more than the interval has


@dataclass(frozen=True, slots=True)
class Target:
    """What a trigger with `target_margin` wants to know: to so many points, over so long."""

    survey: str
    dimension: str
    points: float
    per: timedelta
    expires: timedelta
    rules: Metric

    def since(self, now: datetime) -> date:
        """The first of the days that lie in the period, today's included; in UTC."""
        return (now - self.per).date() + _DAY

    def recent(self, now: datetime) -> date:
        """The first day of which invitations may still be answered."""
        return (now - self.expires).date()

    def learnt(self, now: datetime) -> date:
        """From which day on invitations tell how many answer."""
        return self.recent(now) - max(self.per, _LEARNT)


def targets_of(programme: Programme) -> Mapping[str, Target]:
    """The targets of the triggers that have one, by trigger."""
    found: dict[str, Target] = {}
    for trigger in programme.triggers.values():
        survey = programme.surveys[trigger.survey]
        if trigger.target_margin is not None:
            found[trigger.key] = Target(
                survey=survey.key,
                dimension=trigger.target_by or "",
                points=trigger.target_margin,
                per=trigger.target_per,
                expires=survey.expires,
                rules=survey.rules,
            )
    return found


def pairs_of(targets: Iterable[Target]) -> list[Pair]:
    """What must be counted for these targets, sorted; the whole survey always."""
    return sorted({pair for t in targets for pair in ((t.survey, ""), (t.survey, t.dimension))})


@dataclass(frozen=True, slots=True)
class Asked:
    """Of so many who were asked, so many have answered."""

    asked: int = 0
    answered: int = 0

    def rate(self, usual: float = RATE) -> float:
        """The share that answers, drawn towards the usual one while few were asked."""
        return (self.answered + RATE_WEIGHT * usual) / (self.asked + RATE_WEIGHT)


@dataclass(frozen=True, slots=True)
class Heard:
    """What is known of a segment: answers of the period, expected ones, and how many answer."""

    tally: Tally
    waiting: float = 0.0
    rate: float = RATE

    def after_asking(self, number: int = 1) -> "Heard":
        """The same once so many more have been asked."""
        return replace(self, waiting=self.waiting + number * self.rate)


def heard_of(tally: Tally, ended: Asked, recent: Asked, usual: float = RATE) -> Heard:
    """`ended`: those asked who can answer no more, `recent`: those who still can.

    Of the recent so many will answer as of the ended did.
    """
    rate = ended.rate(usual)
    return Heard(tally, max(rate * recent.asked - recent.answered, 0.0), rate)


def margin_of(heard: Heard, rules: Metric, target: float) -> Margin:
    """The half width of the 95 % interval in points, and the share to ask for `target` points.

    A point is one of NPS or CSAT's 100; for a mean such as CES a hundredth of its scale's range
    (on 1-7 five points are 0.3). The share is 1 while the margin is far from the target and nobody
    knows of answers to come, and falls to 0 as the answers given and expected come near what the
    target needs; it is 0 once the target is met, and never before unless enough are expected.
    """
    tally = heard.tally
    estimate = METHODS[rules.interval](tally, rules, 1.0)
    low, high = estimate.interval()
    half_width = (high - low) / 2 * _points(rules)
    if tally.n and half_width <= target:
        return Margin(tally.n, half_width, 0.0)
    most = (_SAFE * _SPREAD[rules.interval] / target) ** 2  # however much the answers differ
    needed = min(estimate.n * (half_width / target) ** 2, most)
    missing = max(needed - estimate.n, 1.0) - heard.waiting
    share = min(1.0, sqrt(max(missing, 0.0) / (NEAR * needed)))
    return Margin(tally.n, half_width if tally.n else None, share)


def _points(rules: Metric) -> float:
    if rules.interval is not IntervalKind.MEAN:
        return 1.0
    lowest, highest = rules.scale
    return 100 / (highest - lowest)
