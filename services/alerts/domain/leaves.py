"""The leaves of a line since an onset: what came in each, and what is normal there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit

from services.alerts.domain.columns import Flags, Floats, Ints

ABSENT: Final = -1
LEAST_RATE: Final = 1e-4
LARGEST_SHIFT: Final = 12.0
_STEPS: Final = 30
_CLOSE: Final = 1e-9

Segment = Mapping[str, str]


class Sums(NamedTuple):
    """Answers, the detractors among them, and the detractors that are normal."""

    answers: float
    detractors: float
    expected: float

    @property
    def excess(self) -> float:
        return self.detractors - self.expected


@dataclass(frozen=True, kw_only=True)
class Leaves:
    """One row a leaf. `codes[leaf, dimension]` is the place of its value in `values`, or ABSENT.

    Counts are effective (divided by the over-dispersion) or raw; `rates` are the shares of
    detractors that are normal, above 0 and below 1.
    """

    names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    codes: Ints
    answers: Floats
    detractors: Floats
    rates: Floats

    def __len__(self) -> int:
        return len(self.answers)

    @classmethod
    def of(
        cls,
        segments: Sequence[Segment],
        answers: ArrayLike,
        detractors: ArrayLike,
        rates: ArrayLike,
    ) -> Self:
        """Encode leaves given as segments."""
        names = tuple(sorted({name for segment in segments for name in segment}))
        codes = np.full((len(segments), len(names)), ABSENT, np.intp)
        values = []
        for place, name in enumerate(names):
            known: dict[str, int] = {}
            codes[:, place] = [
                ABSENT if value is None else known.setdefault(value, len(known))
                for value in (segment.get(name) for segment in segments)
            ]
            values.append(tuple(known))
        return cls(
            names=names,
            values=tuple(values),
            codes=codes,
            answers=np.asarray(answers, float),
            detractors=np.asarray(detractors, float),
            rates=np.clip(np.asarray(rates, float), LEAST_RATE, 1 - LEAST_RATE),
        )

    def within(self, segment: Segment) -> Flags:
        """Which leaves lie in a segment."""
        inside = np.ones(len(self), bool)
        for name, value in segment.items():
            if name not in self.names:
                return np.zeros(len(self), bool)
            place = self.names.index(name)
            known = self.values[place]
            code = known.index(value) if value in known else len(known)
            inside &= self.codes[:, place] == code
        return inside

    def sums(self, which: Flags) -> Sums:
        """Sum over some of the leaves."""
        answers = self.answers[which]
        return Sums(
            float(answers.sum()),
            float(self.detractors[which].sum()),
            float(answers @ self.rates[which]),
        )

    def tempered(self, factor: float) -> Self:
        """The same with fewer answers."""
        return replace(self, answers=self.answers * factor, detractors=self.detractors * factor)

    def without_wobble(self, wobble: float) -> Self:
        """Count answers for what they tell: rates of leaves differ by that much for no reason.

        n answers weigh n / (1 + n p q wobble²), wobble on the logit scale (delta method).
        """
        spread = self.rates * (1 - self.rates)
        weights = 1 / (1 + self.answers * spread * wobble**2)
        return replace(self, answers=self.answers * weights, detractors=self.detractors * weights)

    def tilted(self, which: Flags, expected: float) -> Self:
        """Shift some leaves by one step on the logit scale so that `expected` becomes normal."""
        rates = self.rates.copy()
        rates[which] = tilt(self.answers[which], rates[which], expected)
        return replace(self, rates=rates)

    def explained_by(self, segments: Sequence[Segment]) -> Self:
        """The same with what these segments hold taken as normal; rates only rise."""
        leaves = self
        for segment in segments:
            inside = leaves.within(segment)
            sums = leaves.sums(inside)
            if sums.excess > 0:
                leaves = leaves.tilted(inside, sums.detractors)
        return leaves


def tilt(answers: Floats, rates: Floats, expected: float) -> Floats:
    """Shift rates by one step on the logit scale until that many detractors are expected."""
    odds, shift = logit(rates), 0.0
    for _ in range(_STEPS):
        shifted = expit(odds + shift)
        gap = expected - float(answers @ shifted)
        slope = float(answers @ (shifted * (1 - shifted)))
        step = float(np.clip(gap / max(slope, 1e-12), -1, 1))
        shift = float(np.clip(shift + step, -LARGEST_SHIFT, LARGEST_SHIFT))
        if abs(step) < _CLOSE:
            break
    tilted: Floats = np.clip(expit(odds + shift), LEAST_RATE, 1 - LEAST_RATE)
    return tilted
