"""T6 of quiet streams: what can be found at all in a fleet of 1 to 10 answers a day.

Beside the detector an oracle: Page's CUSUM that is told both rates (optimal: Moustakides 1986),
with the threshold that would have given as many false alarms as we promise, known with hindsight.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
from scipy.special import expit, logit

from benchmarks.spikes.fleets import watch
from benchmarks.spikes.promise import SEEDS
from benchmarks.spikes.rows import Part, Plan, Row, Trial
from benchmarks.spikes.rules import fit, hourly, ring
from benchmarks.spikes.spikes import ODDS, Found, draw_spikes, hours_of, of_class, waits
from benchmarks.spikes.worlds import Floats, Recipe, Size, World, draw_world

QUIET = Recipe(most=10.0)
CLASSES = ((1, 2), (2, 5), (5, 10))
LASTS_H = (7 * 24, 28 * 24)
LEARNING = 8  # weeks: of one answer a day the 50 of the warm-up take seven


def oracle(world: World) -> Floats:
    """CUSUM by hour and segment, told the rates."""
    calm = world.rates[0]
    risen = expit(logit(calm) + np.log(ODDS))
    up, down = np.log(risen / calm), np.log((1 - risen) / (1 - calm))
    answers, detractors = hourly(world)
    scores, walk = np.empty(answers.shape), np.zeros(world.size.segments)
    for hour, ratios in enumerate(detractors * up + (answers - detractors) * down):
        walk = np.maximum(walk + ratios, 0.0)
        scores[hour] = walk
    return scores


def find(seed: int, size: Size, lasts_h: int) -> Found:
    spikes = draw_spikes(seed, size, lasts_h)
    world = draw_world(seed, QUIET, size, spikes.shift(size))
    calm = draw_world(seed + 1, QUIET, size)
    rang = ring(oracle(world), fit(calm, oracle(calm), size.weeks))
    alarms = [(a.segment, (a.tick + 1) / 4) for a in watch(world)]
    return {
        "volumes": world.volumes[spikes.segments],
        "Earshot": waits(spikes, alarms),
        "CUSUM, both rates told": waits(spikes, hours_of(rang)),
    }


def _parts(plan: Plan) -> list[Part]:
    seed = (plan.seeds or SEEDS)[0]
    size = Size(1000 if plan.full else 400, LEARNING, 8 if plan.full else 6)
    return [partial(find, seed, size, lasts_h) for lasts_h in LASTS_H]


def _rows(plan: Plan, done: Sequence[Found]) -> list[Row]:
    rows = []
    for lasts_h, found in zip(LASTS_H, done, strict=True):
        for low, high in CLASSES:
            by = {name: of_class([found], name, low, high) for name in found if name != "volumes"}
            shares = {name: f"{np.mean(np.isfinite(w)):.2f}" for name, w in by.items()}
            many = len(by["Earshot"])
            what = f"{low} to {high} a day, {lasts_h // 24} days ({many} spikes)"
            rows.append(Row(what, shares.pop("Earshot"), rivals=shares))
    return rows


T11 = Trial(
    "T11 quiet fleet: spikes of 7 and of 28 days, odds x2.43, found while they last; the optimum"
    " that is told both rates beside it, at one false alarm a week",
    _parts,
    _rows,
)
