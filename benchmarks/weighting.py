"""How much of a bias of non-response the weighted score takes away, on made-up companies.

    python -m benchmarks.weighting [--worlds 200] [--write docs/weighting.md]

A company of twelve regions, whose customers differ: the happy regions answer five to eight times
as often as the unhappy ones. The plain NPS of all answers is off by 8 points or more; the weighted
one knows how many events each region had. `outside`: how often the 95 % interval misses the truth.
The last world is the one that no weighting mends: the unhappy of each region answer less.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator

from benchmarks.written import write_between
from services.scoring.domain.questions import Segment
from services.scoring.domain.weighting import strata_of, weigh
from shared.intervals import METHODS
from shared.programme.metrics import find_metric
from shared.tally import Tallies

REGIONS = 12
NPS = find_metric("nps", (0, 10))


@dataclass(frozen=True)
class World:
    """How many events there are, and how much less often a detractor answers (1: as often)."""

    name: str
    events: int
    detractors_answer: float = 1.0


WORLDS = (
    World("2,000 events", 2_000),
    World("20,000 events", 20_000),
    World("200,000 events", 200_000),
    World("20,000 events, detractors answer half as often", 20_000, 0.5),
)


@dataclass(frozen=True)
class Seen:
    """One company: how far both scores are off, in points, and whether the intervals miss."""

    answers: int
    effective: float
    plain: float
    weighted: float
    plain_outside: bool
    weighted_outside: bool


def look(world: World, draw: Generator) -> Seen:
    """Draw a company, ask everybody, and hear from some."""
    sizes = draw.dirichlet(np.full(REGIONS, 3.0)) * world.events
    events = np.maximum(sizes.astype(np.int64), 20)
    happiness = np.linspace(0, 1, REGIONS)
    detractor = 0.6 - 0.5 * happiness + draw.normal(0, 0.02, REGIONS)
    promoter = (1 - detractor) * (0.35 + 0.35 * happiness)
    rate = 0.04 + 0.32 * happiness + draw.uniform(0, 0.02, REGIONS)
    shares = np.stack([promoter, 1 - promoter - detractor, detractor], axis=1)
    people = np.stack([draw.multinomial(n, p) for n, p in zip(events, shares, strict=True)])
    willing = rate[:, None] * np.array([1.0, 1.0, world.detractors_answer])
    heard = draw.binomial(people, willing)
    truth = 100 * float((people[:, 0] - people[:, 2]).sum() / people.sum())
    return _compared(heard, events.tolist(), truth)


def _compared(heard: np.ndarray, events: Sequence[int], truth: float) -> Seen:
    zeros = np.zeros(REGIONS, np.int64)
    tallies = Tallies(heard[:, 0], heard[:, 1], heard[:, 2], zeros, zeros)
    segments = [(f"region {number}",) for number in range(REGIONS)]
    known: dict[Segment, int] = dict(zip(segments, events, strict=True))
    weighted = weigh(strata_of([()], segments, tallies, known), 1)
    promoters, passives, detractors = heard.sum(axis=0)[:, None]
    plain = Tallies(promoters, passives, detractors, zeros[:1], zeros[:1])
    off, outside = zip(*(_against(one, truth) for one in (plain, weighted.tallies)), strict=True)
    return Seen(int(heard.sum()), float(weighted.effective_n[0]), *off, *outside)


def _against(tallies: Tallies, truth: float) -> tuple[float, bool]:
    score = float((100 * (tallies.promoters - tallies.detractors) / tallies.n)[0])
    low, high = METHODS[NPS.interval](tallies, NPS, 1.0).interval()
    return score - truth, not float(low[0]) <= truth <= float(high[0])


def row(world: World, seen: Sequence[Seen]) -> str:
    """One line of the table."""
    plain = np.abs([one.plain for one in seen])
    weighted = np.abs([one.weighted for one in seen])
    figures = (
        f"{np.mean([one.answers for one in seen]):,.0f}",
        f"{np.mean([one.effective for one in seen]):,.0f}",
        f"{plain.mean():.1f}, {plain.min():.1f}-{plain.max():.1f}",
        f"{np.mean([one.weighted for one in seen]):+.2f}",
        f"{weighted.mean():.1f}, {np.quantile(weighted, 0.95):.1f}",
        f"{100 * np.mean([one.plain_outside for one in seen]):.0f} %",
        f"{100 * np.mean([one.weighted_outside for one in seen]):.1f} %",
    )
    return f"| {world.name} | {' | '.join(figures)} |"


def table(worlds: int) -> str:
    """The table, in Markdown."""
    head = (
        "| company | answers | effective n | plain: off by, least-most | weighted: bias |"
        " off by, 95 % within | plain outside | weighted outside |"
    )
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    for number, world in enumerate(WORLDS):
        draw = np.random.default_rng([2026, number])
        lines.append(row(world, [look(world, draw) for _ in range(worlds)]))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--write", type=Path, help="put the table into this page")
    told = parser.parse_args()
    found = table(told.worlds)
    print(found)
    if told.write is not None:
        write_between(told.write, "weighting", found)


if __name__ == "__main__":
    main()
