"""Coverage of an interval, exactly: every outcome with its probability, no draws.

NPS: all (promoters, passives, detractors). CSAT: all numbers of promoters. CES: all pairs of sum
and sum of squares, whose joint distribution is that of one answer convolved n times (by Fourier
transform, to 1e-13); the interval depends on nothing else.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Final

import numpy as np
from scipy.special import betainc, gammaln, xlogy

from benchmarks.intervals_methods import Floats, Method
from shared.tally import Tallies

SMALL: Final = tuple(range(5, 20))
STEPS: Final = tuple(step / 20 for step in range(21))
RARE: Final = (0.01, 0.02, 0.03, 0.04)


@dataclass(frozen=True)
class Case:
    """All outcomes of n answers, and their probability under each truth (a row each)."""

    n: int
    tallies: Tallies
    points: Floats  # the plain score of each outcome
    truths: Floats
    weights: Floats


@dataclass
class Coverage:
    """Of one method: by n the coverage of each truth, and the expected width of the interval."""

    names: Sequence[str]
    found: dict[int, Floats] = field(default_factory=dict)
    width: dict[int, float] = field(default_factory=dict)

    def over(self, ns: Iterable[int]) -> "Coverage":
        kept = [n for n in ns if n in self.found]
        return Coverage(
            self.names, {n: self.found[n] for n in kept}, {n: self.width[n] for n in kept}
        )

    @property
    def means(self) -> list[float]:
        return [float(found.mean()) for found in self.found.values()]

    @property
    def worst(self) -> tuple[float, int, str]:
        """The lowest coverage, and the n and the truth where it is."""
        n = min(self.found, key=lambda n: self.found[n].min())
        at = int(self.found[n].argmin())
        return float(self.found[n][at]), n, self.names[at]

    def under(self, bar: float) -> int:
        return sum(int((found < bar).sum()) for found in self.found.values())


def cut(bounds: tuple[Floats, Floats], points: Floats, ends: tuple[float, float]) -> Floats:
    """The interval as it is shown: within what is possible, and holding the score."""
    low = np.minimum(np.maximum(bounds[0], ends[0]), points)
    high = np.maximum(np.minimum(bounds[1], ends[1]), points)
    return np.stack([low, high])


def measure(method: Method, case: Case, ends: tuple[float, float], into: Coverage) -> None:
    low, high = cut(method(case.tallies), case.points, ends)
    truths = case.truths[:, None]
    covers = (low - 1e-7 <= truths) & (truths <= high + 1e-7)
    into.found[case.n] = np.einsum("ij,ij->i", case.weights, covers)
    into.width[case.n] = float((case.weights @ (high - low)).mean())


def nps_grid(steps: Sequence[float] = STEPS) -> list[tuple[float, float]]:
    """Shares of promoters and detractors, those with one class empty too.

    Where all answers are alike for certain the interval holds the score, so that is left out.
    """
    pairs = [(p, d) for p, d in product(steps, steps) if p + d < 1 + 1e-9]
    return [(p, d) for p, d in pairs if max(p, d, 1 - p - d) < 1 - 1e-9]


def nps_case(n: int, grid: Sequence[tuple[float, float]]) -> Case:
    p, d = (side.ravel() for side in np.meshgrid(np.arange(n + 1), np.arange(n + 1)))
    p, d = p[p + d <= n], d[p + d <= n]
    rest = n - p - d
    shares = np.array([(p, d, max(0.0, round(1 - p - d, 9))) for p, d in grid])[:, :, None]
    ways = gammaln(n + 1) - gammaln(p + 1) - gammaln(d + 1) - gammaln(rest + 1)
    logs = xlogy(p, shares[:, 0]) + xlogy(d, shares[:, 1]) + xlogy(rest, shares[:, 2])
    return Case(
        n=n,
        tallies=Tallies(p, rest, d, p - d, p + d),
        points=100 * (p - d) / n,
        truths=100 * (shares[:, 0, 0] - shares[:, 1, 0]),
        weights=np.exp(ways + logs),
    )


def csat_case(n: int, shares: Sequence[float]) -> Case:
    k = np.arange(n + 1)
    truths = np.array(shares)
    ways = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    logs = xlogy(k, truths[:, None]) + xlogy(n - k, 1 - truths[:, None])
    none = np.zeros_like(k)
    return Case(n, Tallies(k, none, n - k, k, k), 100 * k / n, 100 * truths, np.exp(ways + logs))


def ces_cases(n: int, shapes: Iterable[Floats]) -> Iterable[Case]:
    """One case a shape, for each has outcomes of its own."""
    for shape in shapes:
        steps = np.arange(7)
        one = np.zeros((6 * n + 1, 36 * n + 1))
        one[steps, steps**2] = shape
        sums = np.fft.irfft2(np.fft.rfft2(one) ** n, s=one.shape)
        first, second = np.nonzero(sums > 1e-13)
        total, squares = first + n, second + 2 * first + n
        none = np.zeros_like(total)
        yield Case(
            n=n,
            tallies=Tallies(none + n, none, none, total, squares),
            points=total / n,
            truths=np.array([float(shape @ (steps + 1))]),
            weights=sums[first, second][None, :],
        )


def simplex_shapes() -> dict[str, Floats]:
    """Every distribution over the seven points in steps of a quarter, mirror images once."""
    found: dict[tuple[int, ...], Floats] = {}
    for parts in product(range(4), repeat=7):
        if sum(parts) == 4 and parts[::-1] not in found:
            found[parts] = np.array(parts) / 4
    return {"quarters " + "".join(map(str, parts)): shape for parts, shape in found.items()}


def listed_shapes() -> dict[str, Floats]:
    """Beta distributions cut into seven, and shapes that are hard or common."""
    sides = (0.25, 0.5, 1, 2, 4, 8)
    cuts = np.arange(8) / 7
    smooth = {
        f"Beta({a:g}, {b:g})": np.diff(betainc(a, b, cuts)) for a in sides for b in sides if a <= b
    }
    return smooth | {name: np.array(shape) / sum(shape) for name, shape in _NAMED.items()}


_NAMED: Final[Mapping[str, Sequence[float]]] = {
    "1 in 20 at the other end": (1, 0, 0, 0, 0, 0, 19),
    "1 in 10 at the other end": (1, 0, 0, 0, 0, 0, 9),
    "1 in 5 at the other end": (1, 0, 0, 0, 0, 0, 4),
    "half at each end": (1, 0, 0, 0, 0, 0, 1),
    "two neighbours, 1 to 4": (0, 0, 0, 0, 0, 1, 4),
    "two neighbours, half each": (0, 0, 0, 0, 0, 1, 1),
    "nearly all in the middle": (0, 0, 1, 8, 1, 0, 0),
    "top with a tail": (5, 1, 1, 1, 2, 10, 80),
    "top, 1 in 20 very hard": (1, 0, 0, 0, 0, 6, 13),
    "top, 1 in 10 very hard": (1, 0, 0, 0, 0, 3, 6),
    "usual": (6, 5, 5, 8, 14, 24, 38),
    "bad": (25, 15, 12, 12, 12, 12, 12),
    "skewed": (2, 3, 3, 5, 12, 25, 50),
}
ENDS: Final = {"nps": (-100.0, 100.0), "csat": (0.0, 100.0), "ces": (1.0, 7.0)}
