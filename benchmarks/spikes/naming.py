"""How well slices were named: exactly those at fault, others, or none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Slice = Mapping[str, str]


@dataclass
class Score:
    """Slices named, wanted and both, by whom."""

    right: int = 0
    named: int = 0
    wanted: int = 0
    windows: int = 0
    noisy: int = 0  # windows in which anything was named

    def note(self, found: Sequence[Slice], faults: Sequence[Slice]) -> None:
        self.right += sum(one in faults for one in found)
        self.named += len(found)
        self.wanted += len(faults)
        self.windows += 1
        self.noisy += bool(found)

    def add(self, other: "Score") -> None:
        for name, more in vars(other).items():
            setattr(self, name, getattr(self, name) + more)

    @property
    def f1(self) -> float:
        return 2 * self.right / max(self.named + self.wanted, 1)
