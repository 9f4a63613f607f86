"""The published intervals of NPS that were weighed, for many tallies at once.

Each takes tallies and gives the two bounds on -100..100, not yet cut to the scale. The chosen one
is that of `shared.intervals`, so the table is about the product's own arithmetic.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv

from benchmarks.intervals_methods import NPS, Bounds, Floats, Method, Z, chosen, wilson
from shared.tally import Tallies


def adjusted_wald(outer: float, passive: float) -> Method:
    """So many imagined promoters, as many detractors, and so many passives."""

    def bounds(t: Tallies) -> Bounds:
        n = t.n + 2 * outer + passive
        p, d = (t.promoters + outer) / n, (t.detractors + outer) / n
        half = Z * np.sqrt(np.maximum(p + d - (p - d) ** 2, 0) / n)
        return 100 * (p - d - half), 100 * (p - d + half)

    return bounds


def goodman(t: Tallies) -> Bounds:
    """Simultaneous for all contrasts of three shares: chi-squared with two degrees."""
    p, d = t.promoters / t.n, t.detractors / t.n
    half = np.sqrt(-2 * np.log(0.05) * np.maximum(p + d - (p - d) ** 2, 0) / t.n)
    return 100 * (p - d - half), 100 * (p - d + half)


def mover(t: Tallies) -> Bounds:
    """Newcombe: Wilson's bounds of both shares, put together with their correlation."""
    n, p, d = t.n, t.promoters / t.n, t.detractors / t.n
    (p_low, p_high), (d_low, d_high) = wilson(t.promoters, n), wilson(t.detractors, n)
    scale = np.sqrt(p * (1 - p) * d * (1 - d))
    r = np.where(scale > 0, -p * d / np.where(scale > 0, scale, 1), 0)

    def reach(left: Floats, right: Floats) -> Floats:
        found: Floats = np.sqrt(np.maximum(left**2 + right**2 - 2 * r * left * right, 0))
        return found

    return 100 * (p - d - reach(p - p_low, d_high - d)), 100 * (
        p - d + reach(p_high - p, d - d_low)
    )


def score(t: Tallies) -> Bounds:
    """Tango's score interval: the variance at the most likely shares under each difference."""
    n, p, d = t.n, t.promoters, t.detractors
    net = (p - d) / n

    def held(gap: Floats) -> NDArray[np.bool_]:
        b = p * (1 - gap) + d * (1 - 3 * gap) - 2 * (n - p - d) * gap
        root = np.sqrt(np.maximum(b * b + 8 * n * d * gap * (1 - gap), 0))
        share = np.clip((b + root) / (4 * n), np.maximum(0, -gap), (1 - gap) / 2)
        found: NDArray[np.bool_] = (net - gap) ** 2 * n <= Z * Z * (
            2 * share + gap - gap**2
        ) + 1e-12
        return found

    return 100 * _edge(net, -1.0, held), 100 * _edge(net, 1.0, held)


def _edge(inside: Floats, end: float, held: Callable[[Floats], NDArray[np.bool_]]) -> Floats:
    good, bad = inside.astype(np.float64), np.full(inside.shape, end)
    for _ in range(25):
        middle = (good + bad) / 2
        ok = held(middle)
        good, bad = np.where(ok, middle, good), np.where(ok, bad, middle)
    return good


def dirichlet(t: Tallies) -> Bounds:
    """Jeffreys' prior, half an answer in each class; the posterior by quadrature over 100 nodes."""
    p, d, rest = t.promoters + 0.5, t.detractors + 0.5, t.passives + 0.5
    outer = betaincinv((p + d)[:, None], rest[:, None], (np.arange(100) + 0.5) / 100)

    def below(gap: Floats) -> Floats:
        share = np.clip((gap[:, None] / outer + 1) / 2, 0, 1)
        found: Floats = betainc(p[:, None], d[:, None], share).mean(axis=1)
        return found

    start = (p - d) / (p + d + rest)
    return (
        100 * _edge(start, -1.0, lambda gap: below(gap) >= 0.025),
        100 * _edge(start, 1.0, lambda gap: below(gap) <= 0.975),
    )


def bootstrap(t: Tallies) -> Bounds:
    """Percentiles of the resampled score; its distribution is exact here, without draws."""
    n = int(t.n[0])
    shares = np.stack([t.detractors, t.passives, t.promoters], axis=1) / n
    low, high = resampled(shares, n)
    return 100 * (low / n - 1), 100 * (high / n - 1)


def resampled(shares: Floats, n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """2.5 % and 97.5 % points of the sum of n draws of 0, 1, 2 ... with these shares a row."""
    length = (shares.shape[1] - 1) * n + 1
    sums = np.fft.irfft(np.fft.rfft(shares, length, axis=1) ** n, length, axis=1)
    below = np.cumsum(sums, axis=1)
    return (below < 0.025 - 1e-12).sum(axis=1), (below < 0.975 - 1e-12).sum(axis=1)


NPS_METHODS: Final[Mapping[str, Method]] = {
    "**adjusted Wald, 1½ + 0 + 1½**: the three of Rocks (2016), where Bonett and Price put them": (
        chosen(NPS)
    ),
    "adjusted Wald, 1 + 0 + 1: Bonett and Price (2012); ours until now": adjusted_wald(1, 0),
    "adjusted Wald, ¾ + 1½ + ¾: Rocks (2016)": adjusted_wald(0.75, 1.5),
    "adjusted Wald, 1 + 1 + 1: Rocks (2016)": adjusted_wald(1, 1),
    "adjusted Wald, 2 + 0 + 2": adjusted_wald(2, 0),
    "score: Tango (1998), for NPS Rocks (2016)": score,
    "Wilson's shares by MOVER: Newcombe (1998)": mover,
    "Bayes, Jeffreys' prior (Dirichlet ½), n to 40": dirichlet,
    "Goodman's contrasts (1964)": goodman,
    "bootstrap, percentiles: Efron (1979)": bootstrap,
    "Wald": adjusted_wald(0, 0),
}
