"""T9: are the slices at fault named, all of them and no others?

channel 4 x lifecycle 3 x product 8 x region 6, Zipf volumes, odds x2.43 in slices of one to three
dimensions, normal rates estimated from twenty windows before. Exact slices count; nothing else.
Of two causes the weaker one has the nats; they are alike where the other has at most three times as
many.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations, product

import numpy as np
from numpy.random import Generator
from scipy.special import expit, logit, ndtr

from benchmarks.spikes.naming import Score, Slice
from benchmarks.spikes.rows import Part, Plan, Row, Trial, Verdict, judge_few
from benchmarks.spikes.worlds import Floats
from services.alerts.domain.columns import Flags
from services.alerts.domain.leaves import Leaves
from services.alerts.domain.scan import scan

SEED = 145920
SIZES = {"channel": 4, "lifecycle": 3, "product": 8, "region": 6}
CODES = np.array(list(product(*map(range, SIZES.values()))))
SEGMENTS = [{n: f"{n}-{v}" for n, v in zip(SIZES, row, strict=True)} for row in CODES.tolist()]
SHIFT = float(np.log(2.43))
WINDOWS_BEFORE = 20
ANSWERS = 2000.0  # where nothing is at fault
SMALLEST, LARGEST = 0.002, 0.6  # of all answers, in a slice at fault


@dataclass(frozen=True)
class Case:
    """A kind of window: evidence in nats for each cause, causes, unevenness on the logit scale."""

    nats: float
    causes: int
    uneven: float = 0.0  # of the shift between leaves at fault
    wander: float = 0.0  # of every leaf since the history
    bar: float = 0.0  # F1; at 0 causes: the share of windows in which anything is named
    alike: float = np.inf  # the strongest cause's evidence over the weakest's, at most


CASES = {
    "20 nats": Case(20, 1, bar=0.96),
    "80 nats": Case(80, 1, bar=1.0),
    "80 nats, 2 causes of any size": Case(80, 2, bar=1.0),
    "20 nats, uneven": Case(20, 1, 0.3, 0.1, 0.93),
    "80 nats, uneven": Case(80, 1, 0.3, 0.1, 0.97),
    "500 nats, uneven": Case(500, 1, 0.3, 0.1, 0.99),
    "nothing happened": Case(0, 0, bar=0.01),
    "80 nats, 2 causes alike": Case(80, 2, alike=3, bar=1.0),
}


def draw_faults(
    rng: Generator, volumes: Floats, rates: Floats, case: Case
) -> tuple[list[Slice], float]:
    """Slices at fault, and the answers that bring the one with the least its nats."""
    while True:
        faults = _draw_apart(rng, volumes, case.causes)
        needed = [_answers_for(case.nats, volumes, rates, _inside(fault)) for fault in faults]
        if not needed or max(needed) <= case.alike * min(needed):
            return faults, max(needed, default=ANSWERS)


def _draw_apart(rng: Generator, volumes: Floats, number: int) -> list[Slice]:
    """Slices of random depth that do not overlap, neither nearly empty nor nearly everything."""
    faults: list[Slice] = []
    taken = np.zeros(len(volumes), bool)
    while len(faults) < number:
        names = sorted(rng.choice(list(SIZES), int(rng.integers(1, 4)), replace=False).tolist())
        fault = {name: f"{name}-{rng.integers(SIZES[name])}" for name in names}
        inside = _inside(fault)
        if SMALLEST <= volumes[inside].sum() <= LARGEST and not taken[inside].any():
            faults.append(fault)
            taken |= inside
    return faults


def _answers_for(nats: float, volumes: Floats, rates: Floats, inside: Flags) -> float:
    volume = float(volumes[inside].sum())
    p = float(volumes[inside] @ rates[inside]) / volume
    q = float(expit(logit(p) + SHIFT))
    per_answer = q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p))
    return float(nats / per_answer / volume)


def _inside(fault: Slice) -> Flags:
    return np.array([fault.items() <= leaf.items() for leaf in SEGMENTS])


def draw_window(rng: Generator, case: Case) -> tuple[Leaves, list[Slice]]:
    volumes = np.ones(len(CODES))
    for place, many in enumerate(SIZES.values()):
        zipf = 1 / np.arange(1, many + 1)
        volumes *= rng.permutation(zipf / zipf.sum())[CODES[:, place]]
    base = float(np.clip(rng.beta(3, 12), 0.05, 0.40))
    rates = expit(logit(base) + rng.normal(0, 0.2, len(CODES)))
    faults, answers = draw_faults(rng, volumes, rates, case)
    odds = logit(rates) + rng.normal(0, case.wander, len(CODES))
    for fault in faults:
        inside = _inside(fault)
        odds[inside] += SHIFT + rng.normal(0, case.uneven, int(inside.sum()))
    now, before = rng.poisson(answers * volumes), rng.poisson(WINDOWS_BEFORE * answers * volumes)
    known = rng.binomial(before, rates)
    normal = (known + 20 * known.sum() / before.sum()) / (before + 20)
    return Leaves.of(SEGMENTS, now, rng.binomial(now, expit(odds)), normal), faults


def every_slice(leaves: Leaves) -> list[Slice]:
    """What alerts on each slice would name: all of up to three dimensions with z > 3."""
    found: list[Slice] = []
    for depth in (1, 2, 3):
        for places in combinations(range(len(SIZES)), depth):
            codes, inverse = np.unique(CODES[:, places], axis=0, return_inverse=True)
            sums = [
                np.bincount(inverse.ravel(), weights)
                for weights in (leaves.answers, leaves.detractors, leaves.answers * leaves.rates)
            ]
            sd = np.sqrt(np.maximum(sums[2] * (1 - sums[2] / np.maximum(sums[0], 1)), 1e-9))
            z = np.where(sums[0] >= 5, (sums[1] - sums[2]) / sd, 0.0)
            names = [list(SIZES)[place] for place in places]
            found += [
                {n: f"{n}-{v}" for n, v in zip(names, row, strict=True)}
                for row in codes[z > 3].tolist()
            ]
    return found


def localise(seed: int, case: Case, windows: int) -> tuple[Score, Score]:
    """The scan's score, and that of alerts on every slice."""
    rng = np.random.default_rng(seed)
    ours, theirs = Score(), Score()
    for _ in range(windows):
        leaves, faults = draw_window(rng, case)
        ours.note([dict(one.segment) for one in scan(leaves).slices], faults)
        theirs.note(every_slice(leaves), faults)
    return ours, theirs


def _parts(plan: Plan) -> list[Part]:
    seed = (plan.seeds or (SEED,))[0]
    return [
        partial(localise, seed + place, case, (400 if plan.full else 80) * (1 if case.nats else 2))
        for place, case in enumerate(CASES.values())
    ]


def _rows(plan: Plan, done: Sequence[tuple[Score, Score]]) -> list[Row]:
    rows = []
    for (name, case), (ours, theirs) in zip(CASES.items(), done, strict=True):
        if case.causes:
            text, bar = f"F1 {ours.f1:.3f} ({_named(ours)})", f"F1 {case.bar:.2f}"
            verdict = _judge_f1(ours, case.bar)
        else:
            text, bar = f"{ours.noisy / ours.windows:.1%} of windows", f"{case.bar:.0%}"
            verdict = judge_few(ours.noisy, ours.windows, case.bar)
        beside = {"every slice z > 3": f"F1 {theirs.f1:.2f} ({_named(theirs)})"}
        rows.append(Row(f"{name} ({ours.windows} windows)", text, bar, verdict, beside))
    return rows


def _named(score: Score) -> str:
    return f"{score.named / score.windows:.1f} named"


def _judge_f1(score: Score, bar: float) -> Verdict:
    """Wrong and missing slices against those that the bar allows; 1.00 stands for .995."""
    bar = min(bar, 0.995)
    if score.f1 >= bar:
        return Verdict.MET
    error = np.sqrt(bar * (1 - bar) / score.windows)
    return Verdict.MISSED if ndtr((score.f1 - bar) / error) < 0.01 else Verdict.NOISE


T9 = Trial(
    "T9 causes: exact slices named, of 576 leaves in four dimensions; evidence in the window",
    _parts,
    _rows,
)
