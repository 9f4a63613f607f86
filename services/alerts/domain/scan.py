"""Name the slices behind a rise, and say how much of it each of them holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.alerts.domain.candidates import Least
from services.alerts.domain.leaves import Leaves, Segment
from services.alerts.domain.search import Search

ANY: Final = Least()


@dataclass(frozen=True, kw_only=True)
class NamedSlice:
    """A slice, its share (0 to 1) of all excess detractors of the line, and its worth in nats."""

    segment: dict[str, str]
    share: float
    gain: float


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The slices that explain a rise, the one worth most first, and what they hold together."""

    slices: tuple[NamedSlice, ...] = ()
    explains: float = 0.0


def scan(leaves: Leaves, least: Least = ANY) -> Explanation:
    """Explain what is above normal in the leaves by at most four slices; none if chance does.

    Counts are effective: raw counts over their dispersion. A slice with less than `least` is named
    by its parent.
    """
    if not len(leaves):
        return Explanation()
    search = Search(leaves, least)
    chosen = search.drop_worthless(search.choose())
    return _explain(leaves, [(search.candidates.segments[one], gain) for one, gain in chosen])


def weigh(leaves: Leaves, segments: Sequence[Segment]) -> Explanation:
    """Measure slices that are named already as `scan` measures its own; none is dropped."""
    return _explain(leaves, [(dict(segment), 0.0) for segment in segments])


def _explain(leaves: Leaves, named: Sequence[tuple[dict[str, str], float]]) -> Explanation:
    """Shares: a leaf in several slices counts for the first of them."""
    taken = np.zeros(len(leaves), bool)
    excess: list[float] = []
    for segment, _ in named:
        inside = leaves.within(segment) & ~taken
        excess.append(max(leaves.sums(inside).excess, 0.0))
        taken |= inside
    everything = max(leaves.sums(np.ones(len(leaves), bool)).excess, sum(excess), 1e-9)
    slices = tuple(
        NamedSlice(segment=segment, share=part / everything, gain=gain)
        for (segment, gain), part in zip(named, excess, strict=True)
    )
    return Explanation(slices=slices, explains=min(sum(excess) / everything, 1.0))
