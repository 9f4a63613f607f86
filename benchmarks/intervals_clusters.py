"""Coverage with the widening for clusters on: answers that are independent, and that are not.

Independent: what widening adds to the exact coverage. A widened interval holds the plain one, so it
adds and never takes; only that difference is drawn (seeded), with how alike the answers seem
estimated from the same draw. Clustered: each day has shares of its own, from a Dirichlet
distribution around the truth, such that the number of detractors of a day of usual size varies
`deff` times more than a binomial one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.intervals_coverage import ENDS, Coverage, cut, listed_shapes, nps_grid
from benchmarks.intervals_methods import CES, CSAT, NPS, Floats
from services.scoring.domain.clusters import cells_of, crowding, design_effect, intraclass
from services.scoring.domain.scores import points_of
from shared.intervals import METHODS
from shared.programme.metrics import Metric
from shared.tally import Tallies

DAYS: Final = 28
SEED: Final = 20260101
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Slice:
    """Segments with so many answers each, over 28 days; `uneven`: some days have far more."""

    segments: int
    n: int
    deff: float = 1.0
    uneven: bool = False

    @property
    def alike(self) -> float:
        """The intraclass correlation that gives `deff` on a day of usual size."""
        return (self.deff - 1) / (self.n / DAYS - 1) if self.deff > 1 else 0.0


@dataclass(frozen=True)
class Drawn:
    """Coverage over all draws: plain and widened; the mean design effect that was estimated."""

    plain: float
    widened: float
    deff: float


def tallies_of(metric: Metric, counts: Counts) -> Tallies:
    """Counts by class (NPS: detractors first; CSAT: promoters last) or by point, last axis."""
    if metric is CES:
        points = np.array(metric.points)
        n = counts.sum(axis=-1)
        return Tallies(n, n * 0, n * 0, counts @ points, counts @ points**2)
    below, top = counts[..., 0], counts[..., -1]
    middle = counts[..., 1] if metric is NPS else top * 0
    return Tallies(top, middle, below, top - below, top + below)


def truth_of(metric: Metric, shares: Floats) -> float:
    if metric is CES:
        return float(shares @ np.array(metric.points))
    return float(100 * (shares[-1] - (shares[0] if metric is NPS else 0)))


def draw(rng: np.random.Generator, plan: Slice, shares: Floats, draws: int) -> Counts:
    """Counts by draw, segment, day and class."""
    days = np.exp(rng.normal(0, 0.7 if plan.uneven else 0, DAYS))
    shape = (draws, plan.segments)
    sizes = rng.multinomial(plan.n, days / days.sum(), size=shape)
    local = np.broadcast_to(shares, (*shape, DAYS, len(shares)))
    if plan.alike:
        gamma = rng.standard_gamma(np.maximum(local, 1e-9) * (1 / plan.alike - 1)) + 1e-300
        local = gamma / gamma.sum(axis=-1, keepdims=True)
    return rng.multinomial(sizes, local)


def deffs_of(metric: Metric, counts: Counts) -> Floats:
    """What scoring would widen each segment by, in each draw."""
    segments = counts.shape[1]
    segment = np.repeat(np.arange(segments), DAYS)
    found = []
    for one in counts.reshape(len(counts), segments * DAYS, -1):
        cells = cells_of(segment, tallies_of(metric, one), metric)
        crowd = crowding(segment, cells.n, segments)
        found.append(design_effect([(crowd, intraclass(cells))], segments))
    return np.stack(found)


def cover(
    rng: np.random.Generator, metric: Metric, plan: Slice, shares: Floats, draws: int
) -> Drawn:
    counts = draw(rng, plan, shares, draws)
    deffs, whole = deffs_of(metric, counts), tallies_of(metric, counts.sum(axis=2))
    truth = truth_of(metric, shares)

    def covered(deff: Floats) -> float:
        bounds = METHODS[metric.interval](whole, metric, 1.0, deff).interval()
        low, high = cut(bounds, points_of(whole, metric), ENDS[metric.name])
        return float(((low - 1e-7 <= truth) & (truth <= high + 1e-7)).mean())

    return Drawn(covered(np.ones_like(deffs)), covered(deffs), float(deffs.mean()))


def grid_of(metric: Metric) -> list[Floats]:
    """The truths of the exact table; of CES those that are listed by name."""
    if metric is NPS:
        return [np.array([d, max(0.0, 1 - p - d), p]) for p, d in nps_grid()]
    if metric is CSAT:
        return [np.array([1 - step / 20, step / 20]) for step in range(1, 20)]
    return list(listed_shapes().values())


INDEPENDENT: Final = tuple(
    Slice(segments, n) for segments in (1, 5, 50) for n in (10, 20, 30, 50, 100)
)
CLUSTERED: Final = tuple(
    Slice(segments, n, deff, uneven)
    for segments, n, uneven in ((1, 280, False), (1, 280, True), (5, 280, False), (50, 140, False))
    for deff in (1.4, 2.0, 4.0, 6.0)
    if deff - 1 < n / DAYS - 1
)


def independent_rows(exact: Callable[[Metric, int], Coverage]) -> Iterator[Sequence[str]]:
    """Exact mean and worst without widening, the mean with it, and how much it widened."""
    for metric in (NPS, CSAT, CES):
        grid, rng = grid_of(metric), np.random.default_rng(SEED)
        for plan in INDEPENDENT:
            draws = max(4, (3000 if metric is NPS else 1500) // len(grid) * 4 // plan.segments)
            found = [cover(rng, metric, plan, shares, draws) for shares in grid]
            added = float(np.mean([one.widened - one.plain for one in found]))
            plain = exact(metric, plan.n)
            worst, mean = plain.worst[0], plain.means[0]
            deff = float(np.mean([one.deff for one in found]))
            yield (
                metric.name,
                str(plan.segments),
                str(plan.n),
                f"{100 * mean:.1f} %",
                f"{100 * (mean + added):.1f} %",
                f"{100 * worst:.1f} %",
                f"{deff:.3f}",
            )


def clustered_rows() -> Iterator[Sequence[str]]:
    """Coverage of the plain and the widened interval, and the estimated design effect."""
    for metric in (NPS, CSAT, CES):
        grid = grid_of(metric)[:: {NPS: 12, CSAT: 3, CES: 3}[metric]]
        rng = np.random.default_rng(SEED)
        for plan in CLUSTERED:
            draws = max(10, 400 // plan.segments)
            found = [cover(rng, metric, plan, shares, draws) for shares in grid]
            yield (
                metric.name,
                f"{plan.segments}, {plan.n} each{', uneven days' if plan.uneven else ''}",
                f"{plan.deff:g}",
                f"{100 * float(np.mean([one.plain for one in found])):.1f} %",
                f"{100 * float(np.mean([one.widened for one in found])):.1f} %",
                f"{np.mean([one.deff for one in found]):.2f}",
            )
