"""T5: a false alarm in 20,000 calm answers, by how little was known before them."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from benchmarks.spikes.rows import Part, Plan, Row, Trial, judge_few
from benchmarks.spikes.streams import BARE, Bundle
from benchmarks.spikes.worlds import Ints, base_rates

SEED = 697595
ARL = 1e5
TICK_H = 0.5
HISTORIES = (0, 20, 100, 500, 5000)
PROMISED = 0.20
PROTOTYPE = {0: ".157", 100: ".160", 5000: ".130"}


def alarmed(seed: int, streams: int, answers: int) -> Ints:
    """How many streams of each history rang; the base rates are drawn for each stream."""
    rng = np.random.default_rng(seed)
    rates = np.tile(base_rates(rng, streams), len(HISTORIES))
    bundle = Bundle(len(rates), ARL, BARE, TICK_H)
    histories = np.repeat(np.array(HISTORIES), streams)
    bundle.learn(rng, rates, histories)
    active = np.arange(len(rates))
    for _ in range(answers):
        fired = bundle.answer(rng, active, rates[active]).fired
        active = active[~fired]
    quiet = np.bincount(active // streams, minlength=len(HISTORIES))
    return np.asarray(streams - quiet, np.int64)


def _answers(plan: Plan) -> int:
    return 20_000 if plan.full else 2500


def _parts(plan: Plan) -> list[Part]:
    seed = (plan.seeds or (SEED,))[0]
    streams, parts = (250, 2) if plan.full else (150, 1)
    return [partial(alarmed, seed + part, streams, _answers(plan)) for part in range(parts)]


def _rows(plan: Plan, done: Sequence[Ints]) -> list[Row]:
    streams = 500 if plan.full else 150
    promised = 1 - (1 - PROMISED) ** (_answers(plan) / 20_000)
    rows = []
    for history, count in zip(HISTORIES, np.sum(done, axis=0).tolist(), strict=True):
        before = f" (prototype {PROTOTYPE[history]})" if history in PROTOTYPE else ""
        rows.append(
            Row(
                f"history of {history:,} answers ({streams} streams)",
                f"{count / streams:.3f}",
                f"{promised:.2f}{before}",
                judge_few(count, streams, promised),
            )
        )
    return rows


T5 = Trial(
    "T5 short history: share of streams with a false alarm in 20,000 calm answers (2,500 in the"
    " subset), threshold log(100,000)",
    _parts,
    _rows,
)
