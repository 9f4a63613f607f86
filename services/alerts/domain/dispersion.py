"""Learn how much more shares vary than a binomial says: real answers come in clusters.

Two consecutive blocks of eight answers of one stream are compared; under a binomial the squared
difference of their shares has expectation p (1 - p) (1/n1 + 1/n2). The ratio of the sums of both,
seen over expected, is the over-dispersion phi: unbiased for rare detractors, unlike a mean of
ratios. Fleet and stream are shrunk:

    phi_fleet = (60 * 1.5 + seen) / (60 + pairs), pairs divided by how often streams share answers
    phi_s = max(1, (100 * phi_fleet + seen_s) / (100 + pairs_s))

What is older than four weeks fades.
"""

from dataclasses import dataclass

import numpy as np

from services.alerts.domain.columns import Flags, Floats
from services.alerts.domain.frame import WEEK_H, Minute
from services.alerts.domain.state import FleetState
from services.alerts.domain.terms import FleetTerms

BLOCK = 8.0
LARGEST_MINUTE = 16 * BLOCK  # more answers in one minute are one event, not many
OUTLIER = 30.0
MEMORY_H = 4 * WEEK_H
FLEET_WEIGHT = 60.0
STREAM_WEIGHT = 100.0


@dataclass(frozen=True, kw_only=True)
class Dispersion:
    """The fleet's over-dispersion, and the spread expected of a pair of blocks on average."""

    fleet: float
    expected: float = 1.0

    def of(self, rows: FleetState) -> Floats:
        """Give each stream's over-dispersion, from minutes before this one."""
        seen, pairs = rows.pair_spread / self.expected, rows.pair_expected / self.expected
        return np.maximum((STREAM_WEIGHT * self.fleet + seen) / (STREAM_WEIGHT + pairs), 1.0)


def learn_fleet(fleet: FleetState, now_h: float, terms: FleetTerms) -> Dispersion:
    """Pool the pairs of all streams as of `now_h`."""
    pairs = fleet.pairs * _fading(now_h - fleet.last_at)
    known = pairs > 0
    faded = _fading(now_h - fleet.last_at[known])
    count = float(pairs[known].sum())
    expected = float((fleet.pair_expected[known] * faded).sum()) / max(count, 1e-9)
    if expected <= 0:
        return Dispersion(fleet=terms.dispersion)
    seen = float((fleet.pair_spread[known] * faded).sum())
    overlap = max(float(fleet.seen.sum() / max(fleet.seen[fleet.level == 0].sum(), 1.0)), 1.0)
    phi = FLEET_WEIGHT * terms.dispersion + seen / expected / overlap
    phi /= FLEET_WEIGHT + count / overlap
    return Dispersion(fleet=phi, expected=expected)


def note_blocks(rows: FleetState, minute: Minute, elapsed: Floats) -> None:
    """Fill each stream's block, and compare two of them when the second is full."""
    faded = _fading(elapsed)
    for name in ("pair_spread", "pair_expected", "pairs"):
        setattr(rows, name, getattr(rows, name) * faded)
    burst = minute.answers > LARGEST_MINUTE
    rows.block_answers = np.where(burst, 0.0, rows.block_answers + minute.answers)
    rows.block_detractors = np.where(burst, 0.0, rows.block_detractors + minute.detractors)
    full = rows.block_answers >= BLOCK
    if not full.any():
        return
    paired = full & (rows.first_answers > 0)
    _compare(rows, paired)
    alone = full & ~paired
    for what in ("answers", "detractors"):
        first, block = f"first_{what}", f"block_{what}"
        moved = np.where(alone, getattr(rows, block), getattr(rows, first))
        setattr(rows, first, np.where(paired, 0.0, moved))
        setattr(rows, block, np.where(full, 0.0, getattr(rows, block)))


def _compare(rows: FleetState, paired: Flags) -> None:
    n1 = np.where(paired, rows.first_answers, BLOCK)
    n2 = np.where(paired, rows.block_answers, BLOCK)
    share = (rows.first_detractors + rows.block_detractors) / (n1 + n2)
    share = np.where(paired, share, 0.0)
    variance = share * (1 - share) * (n1 + n2) / (n1 + n2 - 1) * (1 / n1 + 1 / n2)
    gap = rows.first_detractors / n1 - rows.block_detractors / n2
    weight = 2 * n1 * n2 / (n1 + n2)
    seen = np.minimum(gap * gap, OUTLIER * variance) * weight
    rows.pair_spread += np.where(paired, seen, 0.0)
    rows.pair_expected += variance * weight
    rows.pairs += paired


def _fading(hours: Floats) -> Floats:
    return np.exp(-np.maximum(hours, 0.0) / MEMORY_H)
