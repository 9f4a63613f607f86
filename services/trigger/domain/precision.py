"""How many to ask, so that each segment's score is as sure as its trigger wants and no surer.

Asking goes on until the interval is narrow enough: the sequential rule of Chow and Robbins (1965,
Ann. Math. Stat. 36, 457-462), on the intervals of `shared.intervals`, whose imagined answers keep
it from stopping on a few that are alike. Who has been asked and may still answer counts with what
is expected of him, by how many answer and how late, so that no answer is asked for twice.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from math import exp, sqrt
from typing import Final

from services.trigger.domain.facts import Margin
from shared.intervals import METHODS
from shared.programme.metrics import IntervalKind, Metric
from shared.programme.models import Programme
from shared.tally import Tally

Pair = tuple[str, str]  # survey, dimension ("": the whole survey)
Segment = tuple[str, str]  # trigger, value of its `target_by` ("": the whole survey)

NEAR: Final = 0.2  # the last fifth of the answers is asked for ever more slowly
_WEIGHT: Final = 20  # of what is usual, in answers or askings
_AHEAD: Final = 15  # so small a part of the period: two days of a month
_DAY: Final = timedelta(days=1)
_LEARNT: Final = timedelta(days=30)  # so long habits are looked back for
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
        """The first of the days, in UTC, that lie in the period, and will for a while yet.

        What is about to leave it is asked for anew before it has left.
        """
        return (now + self.per / _AHEAD - self.per).date() + _DAY

    def recent(self, now: datetime) -> date:
        """The first day of which invitations may still be answered, in UTC."""
        return (now - self.expires).date()

    def learnt(self, now: datetime) -> date:
        """From which day on invitations tell how customers answer."""
        return self.recent(now) - _LEARNT


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
class Habit:
    """Of those asked, the share that answers, and how late on average."""

    rate: float = 0.2
    late: timedelta = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Asked:
    """How many were asked on each UTC day, and how many of them have answered.

    `ended`: those of the answered whose invitations have expired since, all together so `late`.
    """

    days: Mapping[date, int]
    answered: int = 0
    ended: int = 0
    late: timedelta = timedelta(0)

    def habit(self, now: datetime, usual: Habit) -> Habit:
        """Theirs, drawn towards the usual one while little is known.

        Who may still answer counts as asked as far as those like him have answered by now.
        """
        late = (self.late + _WEIGHT * usual.late) / (self.ended + _WEIGHT)
        done = sum(n * (1 - _open(day, now, late)) for day, n in self.days.items())
        return Habit((self.answered + _WEIGHT * usual.rate) / (done + _WEIGHT), late)

    def waiting(self, now: datetime, habit: Habit) -> float:
        """How many more are expected to answer."""
        return habit.rate * sum(n * _open(day, now, habit.late) for day, n in self.days.items())


def _open(day: date, now: datetime, late: timedelta) -> float:
    """Of the answers to askings of a day, the share that is still to come.

    As if asked evenly over the day and answered at a constant rate from then on.
    """
    began = datetime.combine(day, time(), now.tzinfo)
    newest, oldest = max(now - began - _DAY, timedelta(0)) / late, (now - began) / late
    if oldest <= newest:
        return 1.0
    return (exp(-newest) - exp(-oldest)) / (oldest - newest)


@dataclass(frozen=True, slots=True)
class Heard:
    """What is known of a segment: the answers of the period, and how many are expected still."""

    tally: Tally
    waiting: float = 0.0


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
    sure = max(heard.waiting - sqrt(heard.waiting), 0.0)  # expected ones, less a standard error
    missing = max(needed - estimate.n, 1.0) - sure
    share = min(1.0, sqrt(max(missing, 0.0) / (NEAR * needed)))
    return Margin(tally.n, half_width if tally.n else None, share)


def _points(rules: Metric) -> float:
    if rules.interval is not IntervalKind.MEAN:
        return 1.0
    lowest, highest = rules.scale
    return 100 / (highest - lowest)
