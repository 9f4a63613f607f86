"""Where a segment's leaves stand, found without a look at every leaf."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from services.alerts.domain.columns import Ints
from services.alerts.domain.leaves import Leaves, Segment


@dataclass(frozen=True)
class Places:
    """The leaves by each of their values."""

    codes: dict[str, Ints]
    by_value: dict[tuple[str, str], Ints]
    everywhere: Ints

    @classmethod
    def of(cls, leaves: Leaves) -> Self:
        """Sort the leaves once by each dimension."""
        codes: dict[str, Ints] = {}
        by_value: dict[tuple[str, str], Ints] = {}
        for j, (name, values) in enumerate(zip(leaves.names, leaves.values, strict=True)):
            codes[name] = np.ascontiguousarray(leaves.codes[:, j])
            order = np.argsort(codes[name], kind="stable")
            ends = np.searchsorted(codes[name][order], np.arange(len(values) + 1)).tolist()
            for code, value in enumerate(values):
                by_value[name, value] = order[ends[code] : ends[code + 1]]
        return cls(codes, by_value, np.arange(len(leaves)))

    def within(self, segment: Segment) -> Ints:
        """The places of the leaves in a segment, in their order."""
        if not segment:
            return self.everywhere
        named = [(name, self.by_value.get((name, value))) for name, value in segment.items()]
        found = [(name, places) for name, places in named if places is not None]
        if len(found) < len(named):
            return self.everywhere[:0]
        fewest, inside = min(found, key=lambda pair: len(pair[1]))
        for name, places in found:
            if name != fewest and len(places) and len(inside):
                codes = self.codes[name]
                inside = inside[codes[inside] == codes[places[0]]]
        return inside
