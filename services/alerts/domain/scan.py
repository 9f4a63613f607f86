"""Name the smallest set of slices that explains a rise: a penalised lattice scan.

The best slice (`lattice`) is named, its leaves' log odds are tilted until it explains itself, and
the search goes on in what is left while a slice is worth 3 nats ("adjusting for more likely
clusters", Zhang, Assuncao, Kulldorff 2010). Each named slice is then looked for once more beside
the others (coordinate ascent), and one that the others make worthless is dropped.

Leaves differ a little for no reason, and a cause is not quite the same in all its leaves; much data
would see both. So leaves count as if their rates wobbled by 0.08 logits, and what is named already
as at most 50 nats.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from services.alerts.domain.candidates import Least, find_candidates
from services.alerts.domain.columns import Floats
from services.alerts.domain.lattice import log_likelihood_ratio
from services.alerts.domain.leaves import Leaves, Segment, tilt

GAIN: Final = 3.0  # nats
MOST_NATS: Final = 50.0
WOBBLE: Final = 0.08  # of leaves, on the logit scale
ANY: Final = Least()
NAMED_AT_MOST: Final = 4
ROUNDS: Final = 3


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
    search = _Search(leaves, least)
    chosen = search.drop_worthless(search.choose())
    return _explain(leaves, [(search.candidates.segments[one], gain) for one, gain in chosen])


def weigh(leaves: Leaves, segments: Sequence[Segment]) -> Explanation:
    """Measure slices that are named already as `scan` measures its own; none is dropped."""
    return _explain(leaves, [(dict(segment), 0.0) for segment in segments])


class _Search:
    def __init__(self, leaves: Leaves, least: Least) -> None:
        self._leaves = leaves.without_wobble(WOBBLE)
        self.candidates = find_candidates(self._leaves, GAIN, least)
        self._known: dict[tuple[int, ...], Floats] = {}

    def choose(self) -> list[int]:
        chosen: list[int] = []
        while len(chosen) < NAMED_AT_MOST:
            best = self._best(chosen)
            if best is None or best in chosen:
                break
            chosen.append(best)
            self._refine(chosen)
        return chosen

    def drop_worthless(self, chosen: list[int]) -> list[tuple[int, float]]:
        """What each is worth beside the others, the best first."""
        worth = [(one, self._worth(one, _others(chosen, one))) for one in chosen]
        kept = [(one, gain) for one, gain in worth if gain >= GAIN]
        return sorted(kept, key=lambda pair: -pair[1])

    def _refine(self, chosen: list[int]) -> None:
        if len(chosen) == 1:
            return
        for _ in range(ROUNDS):
            before = list(chosen)
            for place in range(len(chosen)):
                better = self._best(_others(chosen, chosen[place]))
                if better is not None and better not in chosen:
                    chosen[place] = better
            if chosen == before:
                return

    def _best(self, beside: list[int]) -> int | None:
        scores = self._scores(beside)
        if not len(scores):
            return None
        best = int(np.argmax(scores))
        return best if scores[best] >= GAIN else None

    def _worth(self, one: int, beside: list[int]) -> float:
        return float(self._scores(beside)[one])

    def _scores(self, beside: list[int]) -> Floats:
        """What each candidate is worth beside others; the best likelihood ratio is tempered."""
        key = tuple(beside)
        if key not in self._known:
            ratios = self.candidates.ratios(self._beside(beside))
            factor = min(1.0, MOST_NATS / max(float(ratios.max(initial=0.0)), 1e-9))
            self._known[key] = factor * ratios - self.candidates.price
        return self._known[key]

    def _beside(self, chosen: list[int]) -> Leaves:
        """The leaves with what these slices hold taken as normal, and as at most 50 nats."""
        leaves = self._leaves
        answers, detractors, rates = (
            leaves.answers.copy(),
            leaves.detractors.copy(),
            leaves.rates.copy(),
        )
        for one in chosen:
            inside = self.candidates.members(one)
            sums = answers[inside], detractors[inside], answers[inside] * rates[inside]
            ratio = float(log_likelihood_ratio(*(np.atleast_1d(part.sum()) for part in sums))[0])
            factor = min(1.0, MOST_NATS / max(ratio, 1e-9))
            answers[inside] *= factor
            detractors[inside] *= factor
            expected = float(detractors[inside].sum())
            rates[inside] = tilt(answers[inside], rates[inside], expected)
        return replace(leaves, answers=answers, detractors=detractors, rates=rates)


def _others(chosen: list[int], one: int) -> list[int]:
    return [other for other in chosen if other != one]


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
