"""What else watches one stream: scores by answer, thresholds fitted to a number of false alarms.

Arrays are by stream and answer. Every rival's threshold is fitted with hindsight, at the true
rate, on answers in which nothing happens: a favour that no user can do it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks.spikes.drifts import make_adwin, rises
from benchmarks.spikes.worlds import Floats

Bits: TypeAlias = NDArray[np.int8]
Score: TypeAlias = Callable[[Bits, int], Floats]  # answers, how many of them are history

MIN_BUCKETS = 7


@dataclass(frozen=True)
class Delay:
    """Mean answers to the alarm, those never found counted as the longest; share never found."""

    mean: float
    missed: float
    setting: str


def window_sums(bits: Bits, length: int) -> Floats:
    sums = np.cumsum(bits, axis=1, dtype=float)
    sums[:, length:] -= sums[:, :-length].copy()
    return sums


def static(length: int) -> Score:
    """The share of the last `length` answers."""
    return lambda bits, history: window_sums(bits, length) / length


def binomial(length: int) -> Score:
    """Minus the log of the exact p-value of the last `length` answers, against the history."""
    from scipy.stats import binom  # half a second that every test would wait for

    def score(bits: Bits, history: int) -> Floats:
        rate = (bits[:, :history].sum(axis=1) + 0.5) / (history + 1)
        table = -binom.logsf(np.arange(length + 1)[None, :] - 1, length, rate[:, None])
        return np.take_along_axis(table, window_sums(bits, length).astype(np.intp), axis=1)

    return score


def buckets(length: int, baseline: int, gap: int) -> Score:
    """Distance of a bucket's share from the mean of earlier ones, in their sd."""

    def score(bits: Bits, history: int) -> Floats:
        full = bits.shape[1] // length
        shares = bits[:, : full * length].reshape(len(bits), full, length).mean(axis=2)
        sums = np.pad(np.cumsum(shares, axis=1), ((0, 0), (1, 0)))
        squares = np.pad(np.cumsum(shares * shares, axis=1), ((0, 0), (1, 0)))
        places = np.arange(baseline + gap, full)
        first, last = places - gap - baseline, places - gap
        mean = (sums[:, last] - sums[:, first]) / baseline
        spread = (squares[:, last] - squares[:, first]) / baseline - mean * mean
        sd = np.sqrt(np.maximum(spread * baseline / (baseline - 1), 1e-9))
        z = np.full(bits.shape, -np.inf)
        z[:, (places + 1) * length - 1] = np.where(
            spread > 1e-9, (shares[:, places] - mean) / sd, -np.inf
        )
        return z

    return score


def page_hinkley(delta: float) -> Score:
    """Page (1954), Hinkley (1971) as river has it, alpha .9999, for rises; not reset."""

    def score(bits: Bits, history: int) -> Floats:
        streams, answers = bits.shape
        mean, total, least = np.zeros(streams), np.zeros(streams), np.full(streams, np.inf)
        scores = np.empty(bits.shape)
        columns = bits.T.astype(float)
        for i in range(answers):
            mean += (columns[i] - mean) / (i + 1)
            total = 0.9999 * total + (columns[i] - mean - delta)
            least = np.minimum(least, total)
            scores[:, i] = total - least
        return scores

    return score


def cusum(calm: float, risen: float) -> Score:
    """Page's CUSUM that is told both rates: the optimum (Moustakides 1986)."""

    def score(bits: Bits, history: int) -> Floats:
        up = np.log(risen / calm)
        down = np.log((1 - risen) / (1 - calm))
        scores = np.zeros(bits.shape)
        walk = np.zeros(len(bits))
        for i, column in enumerate(bits.T):
            if i >= history:
                walk = np.maximum(walk + np.where(column, up, down), 0.0)
            scores[:, i] = walk
        return scores

    return score


def rivals(calm: float, risen: float) -> Iterator[tuple[str, dict[str, Score]]]:
    """By name, with the settings of which the best is shown."""
    yield "CUSUM, both rates told", {"": cusum(calm, risen)}
    yield "z-score", {f"24 of {n}": buckets(n, 24, 0) for n in (10, 25, 50, 100, 200)}
    yield "EARS C2", {f"7 of {n}": buckets(n, 7, 2) for n in (25, 50, 100, 200, 400)}
    yield "PageHinkley", {f"delta {d}": page_hinkley(d) for d in (0.005, 0.02, 0.05, 0.1)}
    yield "exact binomial", {f"of {n}": binomial(n) for n in (50, 100, 200)}
    yield "static share", {f"of {n}": static(n) for n in (50, 100, 200)}


def fitted(scores: Floats, history: int, arl: float) -> float:
    """The threshold that is passed once in `arl` answers, from how many streams ever pass it."""
    judged = scores[:, history:]
    passes = 1 - np.exp(-judged.shape[1] / arl)
    return float(np.quantile(judged.max(axis=1), 1 - passes))


def delays_of(scores: Floats, change: int, threshold: float) -> tuple[Floats, int]:
    """Answers from the change to the first score above, of streams quiet before; and the missed."""
    after = scores[:, change:] > threshold
    found = after.any(axis=1)
    waits = np.where(found, after.argmax(axis=1) + 1.0, after.shape[1])
    return waits, int(np.sum(~found))


def measure_adwin(bits: Bits, history: int, change: int, delta: float) -> Delay:
    """River's ADWIN: rises only."""
    waits, missed = [], 0
    for stream in bits.tolist():
        places = [p for p in rises(make_adwin(delta), map(float, stream)) if p >= history]
        if places and places[0] < change:
            continue
        waits.append(places[0] - change + 1 if places else len(stream) - change)
        missed += not places
    return Delay(float(np.mean(waits)), missed / max(len(waits), 1), f"delta {delta}")
