"""Search for the smallest set of slices that explains a rise: a penalised lattice scan.

The best slice (`lattice`) is named, its leaves' log odds are tilted until it explains itself, and
the search goes on in what is left while a slice is worth 3 nats ("adjusting for more likely
clusters", Zhang, Assuncao, Kulldorff 2010). Each named slice is then looked for once more beside
the others (coordinate ascent). Two causes side by side look like their parent, and no slice beside
that is worth naming: so two slices, one of them within a named one, take its place where the whole
explanation (`joint`) is worth more with them. One that the others make worthless is dropped.

Leaves differ a little for no reason, and a cause is not quite the same in all its leaves; much data
would see both. So leaves count as if their rates wobbled by 0.08 logits, and what is named already
as at most 50 nats; whole explanations expect both.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from services.alerts.domain.candidates import Least, find_candidates
from services.alerts.domain.columns import Floats
from services.alerts.domain.joint import joint_log_ratio
from services.alerts.domain.lattice import log_likelihood_ratio
from services.alerts.domain.leaves import Leaves, tilt

GAIN: Final = 3.0  # nats
MOST_NATS: Final = 50.0
WOBBLE: Final = 0.08  # of leaves, on the logit scale
NAMED_AT_MOST: Final = 4
ROUNDS: Final = 3
PARTS_AT_MOST: Final = 8


class Search:
    """Explanations as places of their slices among the candidates."""

    def __init__(self, leaves: Leaves, least: Least) -> None:
        self._raw = leaves
        self._leaves = leaves.without_wobble(WOBBLE)
        self.candidates = find_candidates(self._leaves, GAIN, least)
        self._known: dict[tuple[int, ...], Floats] = {}
        self._wholes: dict[tuple[int, ...], float] = {}

    def choose(self) -> list[int]:
        """The best explanation found; a slice in it may be worthless beside the others."""
        chosen = self._grow([])
        while len(chosen) < NAMED_AT_MOST:
            grown = self._grow(self._split(chosen))
            if self._whole(grown) <= self._whole(chosen):
                break
            chosen = grown
        return chosen

    def drop_worthless(self, chosen: list[int]) -> list[tuple[int, float]]:
        """Drop the least until each adds to the others; what each is worth, the best first."""
        worth = [(one, self._worth(one, _others(chosen, one))) for one in chosen]
        worth.sort(key=lambda pair: -pair[1])
        for one, gain in reversed(worth):
            if gain < GAIN or not self._adds(one, chosen):
                return self.drop_worthless(_others(chosen, one))
        return worth

    def _grow(self, chosen: list[int]) -> list[int]:
        while len(chosen) < NAMED_AT_MOST:
            best = self._best(chosen)
            if best is None or best in chosen:
                break
            chosen = [*chosen, best]
            self._refine(chosen)
        return chosen

    def _split(self, chosen: list[int]) -> list[int]:
        """The best explanation with two slices in the place of one; the same if none is better."""
        best = chosen
        for one in chosen:
            others = _others(chosen, one)
            for part in self._parts(one, others):
                rest = self._best([*others, part])
                if rest is None or rest in (one, part, *others):
                    continue
                best = max(best, [*others, part, rest], key=self._whole)
        return best

    def _parts(self, one: int, others: list[int]) -> list[int]:
        """The slices within one that hold half of its evidence: of two causes in it, one does."""
        ratios, whole = self.candidates.ratios(self._beside(others)), self.candidates.segments[one]
        large = np.flatnonzero(ratios >= max(ratios[one], 0.0) / 2)
        within = [
            int(part)
            for part in large[np.argsort(-ratios[large], kind="stable")]
            if whole.items() < self.candidates.segments[part].items() and part not in others
        ]
        return within[:PARTS_AT_MOST]

    def _adds(self, one: int, chosen: list[int]) -> bool:
        return len(chosen) < 2 or self._whole(chosen) > self._whole(_others(chosen, one))

    def _whole(self, chosen: list[int]) -> float:
        """What an explanation is worth: its evidence above what naming its slices asks for."""
        key = tuple(sorted(chosen))
        if key not in self._wholes:
            slices = [self.candidates.members(one) for one in key]
            asked = sum(float(self.candidates.price[one]) + GAIN for one in key)
            self._wholes[key] = joint_log_ratio(self._raw, slices, WOBBLE) - asked
        return self._wholes[key]

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
