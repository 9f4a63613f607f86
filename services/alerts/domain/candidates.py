"""Slices worth naming, and what each is worth beside others."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from services.alerts.domain.columns import Flags, Floats, Ints
from services.alerts.domain.lattice import (
    LEAST_ANSWERS,
    Cuboid,
    Ranks,
    cuboids_of,
    log_likelihood_ratio,
    name_cell,
    sum_by,
)
from services.alerts.domain.leaves import Leaves

LEAVES_AT_MOST: Final = 25_000
CANDIDATES_AT_MOST: Final = 4_096


@dataclass(frozen=True)
class Candidates:
    """Slices worth naming, in a fixed order; `leaf` and `slice_` say which leaf is in which."""

    segments: tuple[dict[str, str], ...]
    price: Floats
    leaf: Ints
    slice_: Ints

    def __len__(self) -> int:
        return len(self.segments)

    def members(self, which: int) -> Ints:
        """The leaves of a slice."""
        first, last = np.searchsorted(self.slice_, [which, which + 1])
        return self.leaf[first:last]

    def ratios(self, leaves: Leaves) -> Floats:
        """The likelihood ratio of each against what is normal in the leaves; -inf of no rise."""
        weights = (leaves.answers, leaves.detractors, leaves.answers * leaves.rates)
        sums = [sum_by(self.slice_, one[self.leaf], len(self)) for one in weights]
        return log_likelihood_ratio(*sums)


class Least(NamedTuple):
    """What a slice must hold to be named."""

    answers: float = LEAST_ANSWERS
    detractors: float = 0.0


def find_candidates(leaves: Leaves, gain: float, least: Least) -> Candidates:
    """The slices whose score reaches `gain` against the leaves' normal rates.

    Higher rates and fewer answers only lower scores: no other slice can reach `gain` beside named
    ones. Bounded work: slices of two and three dimensions are looked for in the 25,000 leaves with
    the most answers, whatever these said, and then measured in all; at most the best 4,096.
    """
    ranks = Ranks.of(leaves)
    cuboids = list(cuboids_of(leaves))
    fewer = ranks.of_largest(LEAVES_AT_MOST)
    found = [_score(ranks if len(c.dimensions) < 2 else fewer, c, gain, least) for c in cuboids]
    score = np.concatenate([one.score for one in found])
    kept = np.zeros(len(score), bool)
    kept[np.argsort(-score, kind="stable")[:CANDIDATES_AT_MOST]] = True
    return _gather(leaves, ranks, list(zip(cuboids, found, strict=True)), kept)


class _Scored(NamedTuple):
    cell: Ints
    score: Floats


def _score(ranks: Ranks, cuboid: Cuboid, gain: float, least: Least) -> _Scored:
    answers, detractors, expected = ranks.sums(ranks.cells(cuboid), cuboid.cells)
    enough = (answers >= least.answers) & (detractors >= least.detractors)
    rose = np.flatnonzero(enough & (detractors > expected))
    score = log_likelihood_ratio(answers[rose], detractors[rose], expected[rose]) - cuboid.price
    worth = score >= gain
    return _Scored(rose[worth], score[worth])


def _gather(
    leaves: Leaves, ranks: Ranks, scored: list[tuple[Cuboid, _Scored]], kept: Flags
) -> Candidates:
    segments: list[dict[str, str]] = []
    prices: list[float] = []
    members: list[Ints] = []
    first = 0
    for cuboid, found in scored:
        chosen = found.cell[kept[first : first + len(found.cell)]]
        first += len(found.cell)
        for inside in _members(ranks, cuboid, chosen):
            members.append(inside)
            segments.append(name_cell(leaves, cuboid, int(inside[0])))
            prices.append(cuboid.price)
    sizes = [len(inside) for inside in members]
    return Candidates(
        segments=tuple(segments),
        price=np.array(prices),
        leaf=np.concatenate([np.empty(0, np.intp), *members]),
        slice_=np.repeat(np.arange(len(sizes)), sizes),
    )


def _members(ranks: Ranks, cuboid: Cuboid, chosen: Ints) -> list[Ints]:
    """The leaves of each of the chosen cells."""
    if not len(chosen):
        return []
    place = np.full(cuboid.cells + 1, len(chosen))
    place[chosen] = np.arange(len(chosen))
    places = place[ranks.cells(cuboid)]
    order = np.argsort(places, kind="stable")
    ends = np.searchsorted(places[order], np.arange(len(chosen) + 1))
    return [order[a:b] for a, b in pairwise(ends.tolist())]
