"""What users write today, over a fleet: rules on hourly sums, each as a score and a threshold.

A rule rings when its score passes the threshold after 24 hours below it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks.spikes.worlds import Floats, World

QUIET_H = 24
MONTH_H = 28 * 24

Alarms: TypeAlias = NDArray[np.bool_]  # by hour and segment


@dataclass(frozen=True)
class Rule:
    """`score` by hour and segment, NaN where it says nothing; `usual` is what people set."""

    name: str
    score: Callable[[World], Floats]
    usual: float


def hourly(world: World) -> tuple[Floats, Floats]:
    """Answers and detractors by hour."""
    shape = (-1, 4, world.size.segments)
    answers = world.answers.reshape(shape).sum(axis=1).astype(float)
    return answers, world.detractors.reshape(shape).sum(axis=1).astype(float)


def trailing(x: Floats, length: int) -> Floats:
    """The sum of the last `length` rows, this one included."""
    sums = np.vstack([np.zeros((1, x.shape[1])), np.cumsum(x, axis=0)])
    ends = np.arange(1, len(x) + 1)
    return sums[ends] - sums[np.maximum(ends - length, 0)]


def before(x: Floats, rows: int) -> Floats:
    """What stood there `rows` ago."""
    return np.vstack([np.zeros((rows, x.shape[1])), x[:-rows]])


def z_scores(share: Floats, known: NDArray[np.bool_], length: int, gap: int = 0) -> Floats:
    """Distance from the mean of the `length` shares before (and `gap` left out), in their sd."""
    x = np.where(known, share, 0.0)
    past = [before(trailing(y, length), gap + 1) for y in (known.astype(float), x, np.square(x))]
    count = np.maximum(past[0], 1)
    mean = past[1] / count
    variance = (past[2] - count * mean * mean) / np.maximum(count - 1, 1)
    usable = known & (past[0] >= min(length, 7)) & (variance > 1e-12)
    return np.where(usable, (x - mean) / np.sqrt(np.maximum(variance, 1e-12)), np.nan)


def z_score(world: World) -> Floats:
    """This hour's share against the 24 before, where it has 20 answers (Grafana's recipe)."""
    answers, detractors = hourly(world)
    known = answers > 0
    scores = z_scores(detractors / np.maximum(answers, 1), known, 24)
    return np.where(answers >= 20, scores, np.nan)


def ears_c2(world: World) -> Floats:
    """The day's share against seven days that ended two days ago (Hutwagner et al. 2003)."""
    answers, detractors = hourly(world)
    days = answers.reshape(-1, 24, answers.shape[1]).sum(axis=1)
    share = detractors.reshape(-1, 24, answers.shape[1]).sum(axis=1) / np.maximum(days, 1)
    scores = np.full(answers.shape, np.nan)
    scores[23::24] = z_scores(share, days > 0, 7, 2)
    return scores


def exact_binomial(world: World) -> Floats:
    """Minus the log of the exact p-value of the last 24 hours, against four weeks before them."""
    from scipy.stats import binom  # half a second that every test would wait for

    answers, detractors = hourly(world)
    n, k = trailing(answers, 24), trailing(detractors, 24)
    past_n = before(trailing(answers, MONTH_H), 24)
    past_k = before(trailing(detractors, MONTH_H), 24)
    known = (n > 0) & (past_n >= 20)
    rate = np.where(known, (past_k + 0.5) / (past_n + 1), 0.5)
    return np.where(known, -binom.logsf(k - 1, n, rate), np.nan)


def static_share(world: World) -> Floats:
    """The highest share of a quarter of an hour with at least four answers (HappyOrNot's)."""
    share = np.where(world.answers >= 4, world.detractors / np.maximum(world.answers, 1), -1.0)
    highest = share.reshape(-1, 4, world.size.segments).max(axis=1)
    return np.where(highest >= 0, highest, np.nan)


def rules(segments: int) -> tuple[Rule, ...]:
    return (
        Rule("z-score", z_score, 3.0),
        Rule("EARS C2", ears_c2, 3.0),
        Rule("exact binomial, Bonferroni", exact_binomial, float(np.log(168 * segments))),
        Rule("static share", static_share, 0.4999),
    )


def ring(scores: Floats, threshold: float) -> Alarms:
    passed = scores > threshold
    lately = before(trailing(passed.astype(float), QUIET_H), 1) > 0
    return passed & ~lately


def number(world: World, alarms: Alarms) -> int:
    """Alarms in the weeks that are counted."""
    return int(alarms[world.size.learning * 168 :].sum())


def fit(world: World, scores: Floats, allowed: float) -> float:
    """The threshold that would have given at most `allowed` alarms, known with hindsight."""
    counted = scores[world.size.learning * 168 :]
    values = np.unique(counted[~np.isnan(counted)])
    low, high = 0, len(values) - 1
    while low < high:
        middle = (low + high) // 2
        if number(world, ring(scores, float(values[middle]))) > allowed:
            low = middle + 1
        else:
            high = middle
    return float(values[low])
