"""What an experiment has shown so far, from counts."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import fsum
from typing import Final

from services.trigger.domain.sequences import LEVEL, difference, interval
from shared.programme.metrics import Klass, Metric, ScoreKind

ALONE: Final = "No difference is proven yet: there is only one variant."
QUESTIONS: Final = 2  # both the response rate and the score are compared
_NET: Final = {Klass.DETRACTOR: 0.0, Klass.PASSIVE: 0.5, Klass.PROMOTER: 1.0}
Pairs = Mapping[tuple[int, int], int]  # (of the first variant, of this one) to how many


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted of one variant.

    `invited`: all invitations that went out; `pending`: those of them whose time to answer is not
    over; `next_at`: when the first of these may be counted. The rest is of customers whose time to
    answer is over, each by the first invitation alone: `points` are the scores of those who
    answered. `rates` pairs who answered (1) or did not (0) with the same of the first variant,
    `scores` the scores.
    """

    invited: int = 0
    pending: int = 0
    next_at: datetime | None = None
    counted: int = 0
    answered: int = 0
    points: Mapping[int, int] = field(default_factory=dict)
    rates: Pairs = field(default_factory=dict)
    scores: Pairs = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Estimated:
    """A mean with its interval; both None where nothing was counted."""

    n: int
    mean: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One variant less the first one, over `pairs` of customers."""

    pairs: int
    difference: float | None
    interval: tuple[float, float] | None

    @property
    def decided(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]


@dataclass(frozen=True, slots=True)
class Compared:
    """One variant against the first one."""

    variant: str
    first: str
    rate: Difference
    score: Difference


def rate_of(counted: Counted) -> Estimated:
    """The share of the counted who answered."""
    silent = counted.counted - counted.answered
    return _estimated({0.0: silent, 1.0: counted.answered}, 0.0, 1.0)


def score_of(counted: Counted, metric: Metric) -> Estimated:
    """The score of those who answered, as everywhere else."""
    outcomes: Counter[float] = Counter()
    for point, n in counted.points.items():
        outcomes[_outcome(metric, point)] += n
    return _estimated(outcomes, *_scale(metric))


def compare(counted: Mapping[str, Counted], metric: Metric) -> Sequence[Compared]:
    """Every further variant against the first.

    All these intervals together, of both questions, leave out a true difference with a probability
    of at most 5 %, whenever and however often they are looked at (Bonferroni).
    """
    first, *others = counted
    if not others:
        return ()
    level = 1 - (1 - LEVEL) / (QUESTIONS * len(others))
    low, high = _scale(metric)

    def outcome(point: int) -> float:
        return _outcome(metric, point)

    return [
        Compared(
            name,
            first,
            _difference(counted[name].rates, float, 1.0, level),
            _difference(counted[name].scores, outcome, high - low, level),
        )
        for name in others
    ]


def in_words(counted: Mapping[str, Counted], compared: Sequence[Compared], metric: Metric) -> str:
    """What it means; never empty."""
    return _patience(counted.values()) or " ".join(sentences(compared, metric)) or ALONE


def sentences(compared: Sequence[Compared], metric: Metric) -> Iterator[str]:
    """One sentence a comparison and question."""
    points = "points of the scale" if metric.score is ScoreKind.MEAN else "points"
    for each in compared:
        yield _sentence(each, "response rate", each.rate, 100, "points")
        yield _sentence(each, "score", each.score, 1, points)


def _patience(counted: Collection[Counted]) -> str:
    moments = [each.next_at for each in counted if each.next_at is not None]
    if not moments or any(each.counted for each in counted):
        return ""
    ends = min(moments).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"Nothing is counted yet: the first customers' time to answer ends on {ends}"
        " (with an hour for answers on their way)."
    )


def _sentence(each: Compared, what: str, found: Difference, factor: int, points: str) -> str:
    if found.interval is None:
        return f"No difference in the {what} is proven yet: there is nothing to compare."
    low, high = (factor * edge for edge in found.interval)
    if not found.decided:
        return (
            f"No difference in the {what} is proven yet: {each.variant} less {each.first} lies"
            f" between {low:+.1f} and {high:+.1f} {points} ({found.pairs} customers of each)."
        )
    word, (least, most) = ("higher", (low, high)) if low > 0 else ("lower", (-high, -low))
    return (
        f"The {what} of {each.variant} is {word} than that of {each.first}, by {least:.1f} to"
        f" {most:.1f} {points} ({found.pairs} customers of each)."
    )


def _estimated(outcomes: Mapping[float, int], low: float, high: float) -> Estimated:
    n = sum(outcomes.values())
    if not n:
        return Estimated(0, None, None)
    width, (least, most) = high - low, interval(outcomes)
    mean = fsum(outcome * often for outcome, often in outcomes.items()) / n
    return Estimated(n, low + width * mean, (low + width * least, low + width * most))


def _difference(
    pairs: Pairs, outcome: Callable[[int], float], width: float, level: float
) -> Difference:
    steps: Counter[float] = Counter()
    for (first, other), often in pairs.items():
        steps[outcome(other) - outcome(first)] += often
    n = sum(steps.values())
    if not n:
        return Difference(0, None, None)
    low, high = difference(steps, level)
    mean = fsum(step * often for step, often in steps.items()) / n
    return Difference(n, width * mean, (width * low, width * high))


def _outcome(metric: Metric, point: int) -> float:
    if metric.score is ScoreKind.NET:
        return _NET[metric.class_of(point)]
    if metric.score is ScoreKind.TOP_SHARE:
        return float(metric.class_of(point) is Klass.PROMOTER)
    return (point - metric.scale[0]) / (metric.scale[1] - metric.scale[0])


def _scale(metric: Metric) -> tuple[float, float]:
    if metric.score is ScoreKind.NET:
        return -100.0, 100.0
    if metric.score is ScoreKind.TOP_SHARE:
        return 0.0, 100.0
    return float(metric.scale[0]), float(metric.scale[1])
