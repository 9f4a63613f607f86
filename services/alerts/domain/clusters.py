"""Answers that come together tell less than as many that do not: a flight, a workshop, a customer.

n answers of a cluster with correlation rho tell what n / (1 + (n - 1) rho) independent ones would
(the design effect, Kish 1965). The count begins anew with the event day, for what the days of a
cluster have in common is the day's wobble. An answer weighs by how many came before it, never by
what they said, so the weights are known before the answers and the promise stands: a likelihood
ratio to a power of at most 1 has an expectation of at most 1 under the null (Jensen).

The first clusters of a day are counted by name. All further ones share counters, by a hash of their
names: one may weigh less than it would by itself, never more. So a day takes bounded memory, and
what a cluster weighs depends on nothing but what came before it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self
from zlib import crc32

import numpy as np

from services.alerts.domain.answers import DAY
from services.alerts.domain.columns import Ints
from services.alerts.domain.streams import LeafTick

CORRELATION: Final = 0.1
NAMED: Final = 100_000
SHARED: Final = 1 << 19  # counters, 4 MB


@dataclass
class Clusters:
    """How many answers of each cluster one event day has brought a line so far."""

    day: int = -1
    counts: Counter[str] = field(default_factory=Counter)
    shared: Ints | None = None  # where there are more than have names

    def weigh(self, minute: int, ticks: Sequence[LeafTick]) -> Sequence[LeafTick]:
        """Give the ticks of a minute their weights, and count them. No cluster: no weight less."""
        more: Counter[str] = Counter()
        for tick in ticks:
            if tick.cluster:
                more[tick.cluster] += tick.answers
        if not more:
            return ticks
        if minute // DAY != self.day:
            self.day, self.counts, self.shared = minute // DAY, Counter(), None
        weights = {name: self._weight(name, more[name]) for name in sorted(more)}
        return [tick._replace(weight=weights.get(tick.cluster, 1.0)) for tick in ticks]

    def add(self, name: str, answers: int) -> int:
        """Count answers; return how many came before them. New names come in a fixed order."""
        if name in self.counts or len(self.counts) < NAMED:
            before = self.counts[name]
            self.counts[name] = before + answers
            return before
        if self.shared is None:
            self.shared = np.zeros(SHARED, np.intp)
        place = crc32(name.encode()) % SHARED
        before = int(self.shared[place])
        self.shared[place] += answers
        return before

    def copy(self) -> Self:
        """What happens to the copy does not touch this."""
        shared = None if self.shared is None else self.shared.copy()
        return type(self)(self.day, self.counts.copy(), shared)

    def _weight(self, name: str, answers: int) -> float:
        before = self.add(name, answers)
        return (worth(before + answers) - worth(before)) / answers


def worth(answers: int) -> float:
    """How many independent answers a cluster's are worth."""
    return answers / (1 + (answers - 1) * CORRELATION) if answers else 0.0
