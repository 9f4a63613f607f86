"""Answers that come together tell less than as many that do not: a flight, a workshop, a customer.

n answers of a cluster with correlation rho tell what n / (1 + (n - 1) rho) independent ones would
(the design effect, Kish 1965). The count begins anew with the event day, for what the days of a
cluster have in common is the day's wobble. An answer weighs by how many came before it, never by
what they said, so the weights are known before the answers and the promise stands: a likelihood
ratio to a power of at most 1 has an expectation of at most 1 under the null (Jensen).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from services.alerts.domain.answers import DAY
from services.alerts.domain.streams import LeafTick

CORRELATION: Final = 0.1
KEPT: Final = 100_000  # beyond that, clusters of one answer are forgotten first


@dataclass
class Clusters:
    """How many answers of each cluster one event day has brought a line so far."""

    day: int = -1
    counts: Counter[str] = field(default_factory=Counter)

    def weigh(self, minute: int, ticks: Sequence[LeafTick]) -> Sequence[LeafTick]:
        """Give the ticks of a minute their weights, and count them. No cluster: no weight less."""
        more: Counter[str] = Counter()
        for tick in ticks:
            if tick.cluster:
                more[tick.cluster] += tick.answers
        if not more:
            return ticks
        if minute // DAY != self.day:
            self.day, self.counts = minute // DAY, Counter()
        weights = {name: self._weight(name, answers) for name, answers in more.items()}
        self.counts.update(more)
        if len(self.counts) > KEPT:
            self.counts = Counter({name: n for name, n in self.counts.items() if n > 1})
        return [tick._replace(weight=weights.get(tick.cluster, 1.0)) for tick in ticks]

    def copy(self) -> Self:
        """What happens to the copy does not touch this."""
        return type(self)(self.day, self.counts.copy())

    def _weight(self, name: str, answers: int) -> float:
        before = self.counts[name]
        return (worth(before + answers) - worth(before)) / answers


def worth(answers: int) -> float:
    """How many independent answers a cluster's are worth."""
    return answers / (1 + (answers - 1) * CORRELATION) if answers else 0.0
