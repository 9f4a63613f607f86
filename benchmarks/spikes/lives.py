"""T8: what an alert says of its onset and rise, and when it ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.spikes.rows import Part, Plan, Row, Trial, judge_few, judge_mean
from benchmarks.spikes.streams import CALM, HISTORY, TICK_H, Bundle
from benchmarks.spikes.worlds import Floats

SEED = 586559
ARL = 1e5
LASTS = 1500
UNTIL = 5000
SHORT = (50, 100, 200)  # answers after the alarm by which a short fault ends
SHORT_UNTIL = 2000
# By pair: median absolute error of the onset, answers to resolve, share resolved too early.
BARS = {(0.05, 0.10): (47, 487, 0.011), (0.15, 0.30): (13, 166, 0.01)}


@dataclass(frozen=True)
class Lives:
    """Of each alert: answers by which the claimed onset is late, rise in points, and its end."""

    onsets: Floats
    rises: Floats
    early: int  # ended while the spike went on
    resolved: Floats  # answers after the spike; infinite: never


def follow(
    seed: int, pair: tuple[float, float], streams: int, after: Sequence[int] = ()
) -> tuple[Lives, ...]:
    """A spike of 1,500 answers, then calm again. Alerts open as they do in the product.

    `after`: instead, spikes that end so many answers after their alarm; `streams` of each.
    """
    rng = np.random.default_rng(seed)
    calm, risen = pair
    kinds = np.repeat(np.arange(max(len(after), 1)), streams)
    many = len(kinds)
    bundle = Bundle(many, ARL)
    everything = np.arange(many)
    bundle.learn(rng, np.full(many, calm), np.full(many, float(HISTORY)))
    for _ in range(CALM):
        bundle.answer(rng, everything, np.full(many, calm))
    began_h = bundle.now_h
    onsets, rises, resolved = (np.full(many, x) for x in (np.nan, np.nan, np.inf))
    opened, early = np.zeros(many, bool), np.zeros(many, bool)
    ends = np.full(many, LASTS)
    for answer in range(LASTS + (max(after) + SHORT_UNTIL if after else UNTIL)):
        judgement = bundle.answer(rng, everything, np.where(answer < ends, risen, calm))
        closed = np.array([how is not None for how in judgement.closed])
        early |= closed & opened & (answer < ends)
        over = closed & opened & ~early & np.isinf(resolved)
        resolved[over] = answer - ends[over] + 1
        fresh = judgement.fired & ~opened & (answer < ends)
        onsets[fresh] = (judgement.onset_h[fresh] - began_h) / TICK_H
        rises[fresh] = 100 * judgement.rise[fresh]
        opened |= fresh
        if after:
            ends[fresh] = answer + 1 + np.array(after)[kinds[fresh]]
        for row in np.flatnonzero(fresh).tolist():
            bundle.detector.open(bundle.fleet, row, bundle.now_h)
    return tuple(
        Lives(
            onsets[opened & (kinds == kind)],
            rises[opened & (kinds == kind)],
            int(early[kinds == kind].sum()),
            resolved[opened & ~early & (kinds == kind)],
        )
        for kind in range(max(len(after), 1))
    )


def _parts(plan: Plan) -> list[Part]:
    seed = (plan.seeds or (SEED,))[0]
    streams = 1000 if plan.full else 200
    return [partial(follow, seed, pair, streams, after) for pair in BARS for after in ((), SHORT)]


def _rows(plan: Plan, done: Sequence[tuple[Lives, ...]]) -> list[Row]:
    rows = []
    for place, (pair, (onset, resolve, early)) in enumerate(BARS.items()):
        (lives,), short = done[2 * place : 2 * place + 2]
        name = f"{pair[0]:.2f} to {pair[1]:.2f}"
        errors = np.abs(lives.onsets)
        error, spread = float(np.median(errors)), _error_of_median(errors)
        last, wide = float(np.median(lives.resolved)), _error_of_median(lives.resolved)
        of = len(lives.onsets)
        rows += [
            Row(
                f"{name}: onset, median absolute error",
                f"{error:.0f} answers (median {np.median(lives.onsets):+.0f},"
                f" 90 % within {np.quantile(errors, 0.9):.0f})",
                f"{onset}",
                judge_mean(error, spread, onset),
            ),
            Row(
                f"{name}: rise at the alarm",
                f"{lives.rises.mean():.1f} points of {100 * (pair[1] - pair[0]):.0f}",
            ),
            Row(
                f"{name}: resolved within 1,500 answers of the spike",
                f"{lives.early / of:.1%} of {of}",
                f"{early:.1%}",
                judge_few(lives.early, of, early),
            ),
            Row(
                f"{name}: answers to resolve, median",
                f"{last:.0f}, {np.mean(np.isinf(lives.resolved)):.1%} never",
                f"{resolve} + 5 %",
                judge_mean(last, wide, 1.05 * resolve),
            ),
        ]
        rows += [_short(name, after, one) for after, one in zip(SHORT, short, strict=True)]
    return rows


def _short(name: str, after: int, lives: Lives) -> Row:
    """How a fault ends that was over soon after its alarm."""
    last, open_still = (
        float(np.median(lives.resolved)),
        float(np.mean(lives.resolved > SHORT_UNTIL)),
    )
    return Row(
        f"{name}: answers to resolve, median, of a fault that ends {after} after its alarm",
        f"{last:.0f}, {open_still:.1%} not in {SHORT_UNTIL:,}; {lives.early} of"
        f" {len(lives.onsets)} before it ended",
    )


def _error_of_median(values: Floats) -> float:
    """Half the distance of the order statistics one standard error to each side."""
    n = len(values)
    low, high = (np.quantile(values, 0.5 + z * 0.5 / np.sqrt(n)) for z in (-1, 1))
    return float(high - low) / 2 if np.isfinite(high) else 0.0


T8 = Trial(
    "T8 life of an alert: onset, size and end, in answers; threshold log(100,000)", _parts, _rows
)
