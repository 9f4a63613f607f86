"""T10: time for a tick and memory for a stream.

Times are multiples of a yardstick taken beside them: the five beta-binomial likelihoods (ten
log-beta functions) of each stream, which no such detector can do without.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import betaln

from benchmarks.spikes.rows import Part, Plan, Row, Trial, Verdict
from benchmarks.spikes.worlds import FIRST_H
from services.alerts.domain.detector import Detector
from services.alerts.domain.state import HOT, STATE_COLUMNS, FleetState
from services.alerts.domain.terms import Policy

STREAMS = (1_000, 20_000)
BARS_MS = {1_000: 1.1, 20_000: 30.0}
BARS = {1_000: 1.72, 20_000: 2.26}  # the same in yardsticks, on the machine that had them
NOISE = 1.3
BYTES = 272


@dataclass(frozen=True)
class Cost:
    """Seconds of a tick in which every stream has answers, and of the yardstick."""

    tick: float
    yardstick: float


def cost(streams: int, repeats: int) -> Cost:
    rng = np.random.default_rng(streams)
    detector, fleet, index = Detector(Policy()), FleetState.empty(streams), np.arange(streams)
    answers = np.full(streams, 4.0)
    minutes = enumerate(rng.binomial(4, 0.2, (repeats + 1, streams)).astype(float), 1)

    def tick() -> None:
        minute, detractors = next(minutes)
        detector.step(fleet, index, answers, detractors, FIRST_H + minute / 60, 1 / 60)

    a, b = rng.uniform(1, 50, (2, 5, streams))

    def yardstick() -> None:
        betaln(a + 1, b + 3)
        betaln(a, b)

    return Cost(usual(tick, repeats), usual(yardstick, repeats))


def usual(call: Callable[[], None], repeats: int) -> float:
    """The median of processor time of several calls, after one that warms up."""
    call()
    took = []
    for _ in range(repeats):
        began = time.thread_time()
        call()
        took.append(time.thread_time() - began)
    return float(np.median(took))


def _parts(plan: Plan) -> list[Part]:
    return [partial(cost, streams, 100 if plan.full else 20) for streams in STREAMS]


def _rows(plan: Plan, done: Sequence[Cost]) -> list[Row]:
    rows = []
    for streams, one in zip(STREAMS, done, strict=True):
        ratio = one.tick / one.yardstick
        rows.append(
            Row(
                f"a tick of {streams:,} streams",
                f"{ratio:.1f} yardsticks ({one.tick * 1000:.1f} ms here)",
                f"{BARS[streams]} ({BARS_MS[streams]:g} ms)",
                _judge(ratio, BARS[streams]),
            )
        )
    seldom = len(STATE_COLUMNS) - HOT
    held = 8 * HOT + 4 * seldom + 16
    rows.append(
        Row(
            "memory of a stream",
            f"{held} bytes ({HOT} doubles, {seldom} singles, level and parent)",
            f"{BYTES} bytes",
            Verdict.MET if held <= BYTES else Verdict.MISSED,
        )
    )
    return rows


def _judge(ratio: float, bar: float) -> Verdict:
    if ratio <= bar:
        return Verdict.MET
    return Verdict.NOISE if ratio <= NOISE * bar else Verdict.MISSED


T10 = Trial("T10 cost: streams that all have answers in a tick", _parts, _rows)
