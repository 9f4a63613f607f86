"""A made-up shop without chance: its slices answer in turn, and each has its detractors evenly.

A quiet month of random answers may ring, at the rate that is promised; this one must not.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import product
from typing import Any

FAULT = {"region": "EU", "product": "shoes"}
USUAL, FAULTY = 0.15, 0.45
SLICES = tuple(
    product(("EU", "US", "APAC"), ("shoes", "jackets", "bags", "hats"), ("web", "app"))
)  # each region, product and channel
REASONS = ("damaged", "price", "delivery-late")
GOLDEN = 0.6180339887  # spreads the slices' first detractors evenly (Weyl 1916)


@dataclass
class Shop:
    """Draws answers; `hit`: when those of the slice came that goes wrong, since it did."""

    faulty: bool = False
    drawn: int = 0
    hit: list[datetime] = field(default_factory=list)
    fractions: Counter[int] = field(default_factory=Counter)

    def answer(self, when: datetime) -> dict[str, Any]:
        turn = self.drawn % len(SLICES)
        self.drawn += 1
        segments = dict(zip(("region", "product", "channel"), SLICES[turn], strict=True))
        wrong = self.faulty and segments.items() >= FAULT.items()
        if wrong:
            self.hit.append(when)
        unhappy = self.is_unhappy(turn, FAULTY if wrong else USUAL)
        answers: dict[str, Any] = {"score": 3 if unhappy else (7, 9, 10)[self.drawn % 3]}
        if unhappy:
            answers["reasons"] = ["delivery-late" if wrong else REASONS[self.drawn % 3]]
        return {
            "id": f"shop-{self.drawn}", "survey": "post-delivery", "segments": segments,
            "answered_at": when.isoformat(), "answers": answers,
        }  # fmt: skip

    def is_unhappy(self, turn: int, share: float) -> bool:
        """Whether the running sum of shares passes a whole number; kept in billionths."""
        start = self.fractions.get(turn, round((turn * GOLDEN % 1) * 1e9))
        total = start + round(share * 1e9)
        self.fractions[turn] = total % 1_000_000_000
        return total >= 1_000_000_000

    def history(self, end: datetime, *, days: int, a_day: int) -> Iterator[dict[str, Any]]:
        """The answers of the days before `end`, in the order of time."""
        for number in range(days * a_day):
            yield self.answer(end - timedelta(days=days) + number * timedelta(days=1) / a_day)
