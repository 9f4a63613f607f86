"""T6: spikes of seven days in 400 of 1,000 segments, by how many answers a segment has."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np

from benchmarks.spikes.drifts import DRIFTS, fit_drifts, ring_drifts
from benchmarks.spikes.fleets import watch
from benchmarks.spikes.promise import FLEETS, SEEDS
from benchmarks.spikes.rows import Part, Plan, Row, Trial, Verdict, judge_many
from benchmarks.spikes.rules import Alarms, fit, ring, rules
from benchmarks.spikes.worlds import Floats, Ints, Size, deliver_late, draw_world

ODDS = 2.43  # .15 becomes .30
LASTS_H = 168
CLASSES = ((1, 10), (10, 100), (100, 1_000), (1_000, 10_000), (10_000, 1_000_000))
SMALL = Size(segments=400, weeks=2)


@dataclass(frozen=True)
class Spikes:
    """Which segments spike, and from which hour of the world on."""

    segments: Ints
    starts: Ints
    lasts_h: int = LASTS_H

    def shift(self, size: Size) -> Floats:
        added = np.zeros((size.hours, size.segments))
        for segment, start in zip(self.segments, self.starts, strict=True):
            added[start : start + self.lasts_h, segment] = np.log(ODDS)
        return added


def draw_spikes(seed: int, size: Size, lasts_h: int = LASTS_H) -> Spikes:
    rng = np.random.default_rng([seed, 6])
    segments = rng.choice(size.segments, size.segments * 2 // 5, replace=False)
    starts = rng.integers(size.learning * 168, size.hours - lasts_h, len(segments))
    return Spikes(segments, starts, lasts_h)


def waits(spikes: Spikes, alarms: Iterable[tuple[int, float]]) -> Floats:
    """Hours until the first alarm within each spike, infinite where there is none.

    `alarms`: segment and hour of the world.
    """
    found = np.full(len(spikes.segments), np.inf)
    place = {segment: i for i, segment in enumerate(spikes.segments.tolist())}
    for segment, hour in alarms:
        i = place.get(segment)
        if i is not None and 0 <= hour - spikes.starts[i] <= spikes.lasts_h:
            found[i] = min(found[i], hour - spikes.starts[i])
    return found


def hours_of(alarms: Alarms) -> list[tuple[int, float]]:
    return [(segment, hour + 1.0) for hour, segment in np.argwhere(alarms).tolist()]


Found: TypeAlias = dict[str, Floats]  # waits by detector, and the volumes


def find(scenario: str, seed: int, size: Size, *, late: bool, rivals: bool) -> Found:
    recipe = FLEETS[scenario]
    spikes = draw_spikes(seed, size)
    world = draw_world(seed, recipe, size, spikes.shift(size))
    if late:
        world = deliver_late(world, seed)
    alarms = [(a.segment, (a.tick + 1) / 4) for a in watch(world)]
    found = {"volumes": world.volumes[spikes.segments], "Earshot": waits(spikes, alarms)}
    if rivals:
        calm = draw_world(seed, recipe, size)
        for rule in rules(size.segments):
            threshold = fit(calm, rule.score(calm), size.weeks)
            rang = ring(rule.score(world), threshold)
            found[rule.name] = waits(spikes, hours_of(rang))
        for name, make, settings in DRIFTS:
            fitting = fit_drifts(calm, make, settings)
            if fitting is not None:
                found[name] = waits(spikes, hours_of(ring_drifts(world, make, fitting)))
    return found


# By scenario and class: found within 24 hours and 7 days; v4's prototype on unseen seeds.
BARS = {
    ("A", 10): (0.06, 0.75),
    ("A", 100): (0.79, 1.0),
    ("A", 1_000): (1.0, 1.0),
    ("A", 10_000): (1.0, 1.0),
    ("B", 10): (0.05, 0.56),
    ("B", 100): (0.67, 0.99),
    ("B", 1_000): (1.0, 1.0),
    ("B", 10_000): (1.0, 1.0),
}


def share(found: Floats) -> str:
    """Found within 24 hours and within 7 days, and the median wait where half are found."""
    median = float(np.median(found)) if len(found) else np.inf
    usual = f", {median:.1f} h" if np.isfinite(median) else ""
    return f"{np.mean(found <= 24):.2f} / {np.mean(found <= LASTS_H):.2f}{usual}"


def _parts(plan: Plan) -> list[Part]:
    seeds = plan.seeds or SEEDS[: 3 if plan.full else 1]
    size = Size() if plan.full else SMALL
    return [
        partial(find, scenario, seed, size, late=False, rivals=seed == seeds[0] and plan.full)
        for scenario in FLEETS
        for seed in seeds
    ]


def of_class(found: Sequence[Found], name: str, low: int, high: int) -> Floats:
    """A detector's waits in segments of that volume, of all worlds that it saw."""
    return np.concatenate(
        [f[name][(f["volumes"] >= low) & (f["volumes"] < high)] for f in found if name in f]
    )


def _rows(plan: Plan, found: Sequence[Found]) -> list[Row]:
    each = len(found) // len(FLEETS)
    rows = []
    for i, scenario in enumerate(FLEETS):
        mine = found[i * each : (i + 1) * each]
        for low, high in CLASSES:
            ours = of_class(mine, "Earshot", low, high)
            bar = BARS.get((scenario[0], low))
            rivals = [name for name in mine[0] if name not in {"volumes", "Earshot"}]
            rows.append(
                Row(
                    f"{scenario[0]}, {low:,} to {high:,} a day ({len(ours)} spikes)",
                    share(ours),
                    f"{bar[0]:.2f} / {bar[1]:.2f}" if bar else "",
                    _verdict(ours, bar) if bar else None,
                    {name: share(of_class(mine, name, low, high)) for name in rivals},
                )
            )
    return rows


def _verdict(ours: Floats, bar: tuple[float, float]) -> Verdict:
    """The worse of both."""
    within = ((24, bar[0]), (LASTS_H, bar[1]))
    each = [judge_many(int(np.sum(ours <= h)), len(ours), share) for h, share in within]
    return max(each, key=list(Verdict).index)


T6 = Trial(
    "T6 fleet: spikes of 7 days, odds x2.43 (.15 becomes .30): found within 24 h / 7 days, median;"
    " rivals at the setting that gives them one alarm a week, known with hindsight",
    _parts,
    _rows,
)
