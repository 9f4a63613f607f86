"""How alike answers of one cluster are, as it was last estimated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from services.scoring.domain.cells import slice_key

Known = Mapping[tuple[str, str, str], float]  # metric, slice, kind of cluster


@dataclass
class Alikeness:
    """The intraclass correlations of a process: `known` is replaced whole when estimated anew.

    `kinds` is what the programme says that answers cluster by: `day`, or dimensions.
    """

    kinds: tuple[str, ...] = ()
    known: Known = field(default_factory=dict)

    def of(self, metric: str, dimensions: Sequence[str], kind: str) -> float:
        """How alike they are within the segments of a slice; 0 where nothing is known.

        Of a slice without an estimate the largest that is known of fewer of its dimensions.
        """
        own = self.known.get((metric, slice_key(dimensions), kind))
        if own is not None:
            return own
        fewer = (
            self.known.get((metric, slice_key(names), kind), 0.0)
            for size in range(len(dimensions))
            for names in combinations(dimensions, size)
        )
        return max(fewer, default=0.0)
