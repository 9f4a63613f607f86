"""What open alerts explain of the streams that cross, however many there are of both."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.alerts.domain.causes import JOINS_AT, Crossed, is_fired_by_rest
from services.alerts.domain.columns import Floats, Ints
from services.alerts.domain.leaves import Leaves, Segment, Sums, tilt
from services.alerts.domain.places import Places


@dataclass(frozen=True)
class View:
    """What alerts explain of a stream, by their names.

    `beside`: those that share leaves with it. `held`: those that share some of its excess. `fires`:
    by what they leave. `joins`: the one that holds most, if they hold at least half.
    """

    beside: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    fires: bool = True
    joins: str | None = None


class Overlaps:
    """The slices of alerts over a line's leaves since an onset; what they hold is normal."""

    def __init__(self, leaves: Leaves) -> None:
        self._leaves = leaves
        self._places = Places.of(leaves)
        self._excess: Floats = leaves.detractors - leaves.answers * leaves.rates
        self._explained = leaves.rates.copy()
        self._names: list[str] = []
        self._members: list[Ints] = []
        self._sorted: tuple[Ints, Ints] | None = None

    def hold(self, name: str, slices: Sequence[Segment]) -> None:
        """Take what an alert's slices hold as normal; rates only rise."""
        leaves, parts = self._leaves, [self._places.within(one) for one in slices]
        for inside in parts:
            answers, rates = leaves.answers[inside], self._explained[inside]
            detractors = float(leaves.detractors[inside].sum())
            if detractors > float(answers @ rates):
                self._explained[inside] = tilt(answers, rates, detractors)
        self._names.append(name)
        self._members.append(np.unique(np.concatenate([self._places.everywhere[:0], *parts])))
        self._sorted = None

    def view(self, stream: Crossed) -> View:
        """How much of a stream's excess the alerts hold, and whether it fires without them."""
        inside = self._places.within(stream.segment)
        cases, shared = self._shares(inside)
        if not len(cases):
            return View()
        named = np.unique(cases).tolist()
        beside = tuple(self._names[one] for one in named)
        held = tuple(self._names[one] for one in named if shared[one] > 0)
        if not held:
            return View(beside)
        before = self._sums(inside, self._leaves.rates)
        after = self._sums(inside, self._explained)
        mostly = before.excess - after.excess >= JOINS_AT * before.excess
        best = self._names[int(np.argmax(shared))] if mostly else None
        return View(beside, held, is_fired_by_rest(stream, before, after), best)

    def _shares(self, inside: Ints) -> tuple[Ints, Floats]:
        """The numbers of the alerts in each of these leaves, and the excess that each holds."""
        ends, cases = self._by_leaf()
        first = ends[inside]
        many = ends[inside + 1] - first
        skipped = np.cumsum(many) - many
        flat = np.repeat(first - skipped, many) + np.arange(int(many.sum()))
        found = cases[flat]
        excess = self._excess[np.repeat(inside, many)]
        return found, np.bincount(found, excess, len(self._names)).astype(float)

    def _by_leaf(self) -> tuple[Ints, Ints]:
        """Where each leaf's alerts begin in the list of them, and the list."""
        if self._sorted is None:
            leaf = np.concatenate([self._places.everywhere[:0], *self._members])
            numbers = np.arange(len(self._members))
            case = np.repeat(numbers, [len(one) for one in self._members])
            order = np.argsort(leaf, kind="stable")
            ends = np.searchsorted(leaf[order], np.arange(len(self._leaves) + 1))
            self._sorted = ends, case[order]
        return self._sorted

    def _sums(self, inside: Ints, rates: Floats) -> Sums:
        answers = self._leaves.answers[inside]
        detractors = float(self._leaves.detractors[inside].sum())
        return Sums(float(answers.sum()), detractors, float(answers @ rates[inside]))
