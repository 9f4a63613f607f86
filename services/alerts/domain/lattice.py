"""All slices of a line: which of them hold more detractors than is normal.

A slice is a value each of up to three dimensions; {} is one too. A cuboid is all slices of the same
dimensions. A slice's score is

    N KL(K/N || E/N) - ln(slices in its cuboid) - ln(cuboids)

in nats, for N answers, K detractors, E expected (K > E): the likelihood ratio of Kulldorff's
Bernoulli scan (Kulldorff 1997) at the price of naming the slice, as in a two-part code (Rissanen
1978). Slices are counted where a leaf has answers, so never more than leaves.

Bounded work: of a cuboid at most 65,536 slices are looked at. Where its dimensions have more values
between them, the values with the most detractors and those that stand out most by themselves, in
turn, are looked at (every value of a single dimension; 256 of each of two large ones; 40 of three),
and a leaf beyond them is in no slice of that cuboid: a cause there is named by its parent. No score
is made greater by that.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final, NamedTuple, Self

import numpy as np

from services.alerts.domain.columns import Floats, Ints
from services.alerts.domain.leaves import ABSENT, Leaves

DEPTH: Final = 3
CELLS_AT_MOST: Final = 65_536
NOWHERE: Final = 2**40
LEAST_ANSWERS: Final = 5.0
LEAST_SHIFT: Final = 0.15  # on the logit scale


class Cuboid(NamedTuple):
    """Slices of the same dimensions: how many are looked at of each, and the price of one."""

    dimensions: tuple[int, ...]
    widths: tuple[int, ...]
    price: float

    @property
    def cells(self) -> int:
        return int(np.prod(self.widths, dtype=np.int64)) if self.widths else 1


def log_likelihood_ratio(answers: Floats, detractors: Floats, expected: Floats) -> Floats:
    """N KL(K/N || E/N) where at least 5 answers rose by at least 0.15 logits, else -inf."""
    answers = np.maximum(answers, 1e-9)
    normal = np.clip(expected / answers, 1e-9, 1 - 1e-9)
    share = np.clip(detractors / answers, 1e-9, 1 - 1e-9)
    with_it, without = np.log(share / normal), np.log((1 - share) / (1 - normal))
    ratio = answers * (share * with_it + (1 - share) * without)
    seen = (answers >= LEAST_ANSWERS) & (with_it - without >= LEAST_SHIFT)
    found: Floats = np.where(seen, ratio, -np.inf)
    return found


def cuboids_of(leaves: Leaves) -> Iterator[Cuboid]:
    sizes = [len(values) for values in leaves.values]
    named = [
        dimensions
        for depth in range(min(DEPTH, len(sizes)) + 1)
        for dimensions in combinations(range(len(sizes)), depth)
    ]
    filled = max(int(np.count_nonzero(leaves.answers)), 1)
    for dimensions in named:
        full = tuple(sizes[j] for j in dimensions)
        slices = min(float(np.prod(full, dtype=float)), filled)
        yield Cuboid(dimensions, _widths(full), float(np.log(slices) + np.log(len(named))))


def _widths(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """As many values of each as fit, the smallest dimensions in full."""
    room, left, widths = float(CELLS_AT_MOST), len(sizes), dict.fromkeys(range(len(sizes)), 1)
    for place in sorted(widths, key=lambda j: sizes[j]):
        widths[place] = min(sizes[place], int(room ** (1 / left) + 1e-9))
        room, left = room / max(widths[place], 1), left - 1
    return tuple(widths[j] for j in range(len(sizes)))


@dataclass(frozen=True)
class Ranks:
    """The place of each leaf's value in its dimension, by how much is to be looked for in it.

    `weights`: answers, detractors and expected detractors of each leaf.
    """

    ranks: tuple[Ints, ...]
    weights: tuple[Floats, Floats, Floats]
    _cut: dict[tuple[int, int], Ints] = field(default_factory=dict)

    @classmethod
    def of(cls, leaves: Leaves) -> Self:
        weights = (leaves.answers, leaves.detractors, leaves.answers * leaves.rates)
        columns = np.ascontiguousarray(leaves.codes.T)
        sizes = [len(values) for values in leaves.values]
        ranks = tuple(_rank(*one, weights) for one in zip(columns, sizes, strict=True))
        return cls(ranks, weights)

    def of_largest(self, most: int) -> "Ranks":
        """The same for the leaves with the most answers."""
        answers, detractors, expected = self.weights
        if len(answers) <= most:
            return self
        kept = np.argpartition(-answers, most)[:most]
        kept.sort()
        weights = (answers[kept], detractors[kept], expected[kept])
        return Ranks(tuple(rank[kept] for rank in self.ranks), weights)

    def cells(self, cuboid: Cuboid) -> Ints:
        """The cell of each leaf; the one after the last for those in none."""
        cells = np.zeros(len(self.weights[0]), np.intp)
        for j, width in zip(cuboid.dimensions, cuboid.widths, strict=True):
            cells *= width
            cells += self._upto(j, width)
        return np.minimum(cells, cuboid.cells, out=cells)

    def sums(self, cells: Ints, many: int) -> list[Floats]:
        """Answers, detractors and expected detractors of each cell."""
        return [sum_by(cells, weights, many + 1)[:many] for weights in self.weights]

    def _upto(self, j: int, width: int) -> Ints:
        if (j, width) not in self._cut:
            ranks = self.ranks[j]
            self._cut[j, width] = np.where(ranks < width, ranks, NOWHERE)
        return self._cut[j, width]


def _rank(codes: Ints, many: int, weights: tuple[Floats, Floats, Floats]) -> Ints:
    there = np.where(codes == ABSENT, many, codes)
    answers, detractors, expected = (sum_by(there, one, many + 1)[:many] for one in weights)
    ratio = log_likelihood_ratio(answers, detractors, expected)
    by_itself, by_size = _places(-ratio), _places(-detractors)
    rank = _places(np.minimum(by_itself, by_size).astype(float))
    found: Ints = np.append(rank, NOWHERE)[there]
    return found


def _places(values: Floats) -> Ints:
    places = np.empty(len(values), np.intp)
    places[np.argsort(values, kind="stable")] = np.arange(len(values))
    return places


def name_cell(leaves: Leaves, cuboid: Cuboid, leaf: int) -> dict[str, str]:
    places = [(j, int(leaves.codes[leaf, j])) for j in cuboid.dimensions]
    return {leaves.names[j]: leaves.values[j][code] for j, code in places}


def sum_by(places: Ints, weights: Floats, many: int) -> Floats:
    return np.bincount(places, weights, many).astype(float, copy=False)
