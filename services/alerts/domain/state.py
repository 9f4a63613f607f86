"""What the detector remembers of each stream.

Hours are event time since the epoch. Raw counts are answers as they came; all other counts are
effective: divided by the over-dispersion, so that they weigh what they tell.
"""

from collections.abc import Sequence
from functools import cache
from typing import ClassVar, Self

import numpy as np

from services.alerts.domain.columns import Column, Floats, Ints
from services.alerts.domain.held import Held

COMPONENTS = 4
NO_PARENT = -1
DAYS = 7
HOURS = 24


class FleetState:
    """A struct of arrays over streams. NaN means: not yet, or not now.

    `level` (dimensions of the stream: 0, 1 or 2) and `parent` (its row here, or NO_PARENT) say what
    a stream is; the columns say what was seen of it, and are what a store keeps. A fleet holds
    those that are seldom looked at in single precision: counts and whole hours are exact in it up
    to 16 million. These columns are read in copies (`rows`) only.
    """

    layout: ClassVar[dict[str, float]] = {}

    baseline_detractors = Column()
    baseline_others = Column()
    quarantine_detractors = Column()  # since the slowest CUSUM left 0: not yet believed normal
    quarantine_answers = Column()
    walk = Column()  # that CUSUM, in nats
    walk_since = Column(np.nan)
    earlier_detractors = Column()  # of the quarantine, days before today, for what they can tell
    earlier_answers = Column()
    today_detractors = Column()
    today_answers = Column()
    day = Column(np.nan)
    first_at = Column(np.nan)
    last_at = Column(np.nan)
    seen = Column()  # raw answers in all
    block_answers = Column()  # raw, of the block being filled
    block_detractors = Column()
    first_answers = Column()  # raw, of the full block that waits to be compared
    first_detractors = Column()
    pairs = Column()  # of blocks compared, fading
    pair_spread = Column()  # seen between them
    pair_expected = Column()  # of a binomial
    opened_at = Column(np.nan)  # NaN: no alert is open
    began_at = Column(np.nan)
    frozen_rate = Column()  # the baseline when the alert opened
    alert_answers = Column()  # effective, without those since the recovery last left 0
    alert_detractors = Column()
    alert_raw_answers = Column()  # raw, since began_at
    alert_raw_detractors = Column()
    recovery = Column()  # CUSUM of recovery, in nats
    recovery_answers = Column()  # effective, since it left 0
    recovery_detractors = Column()
    evidence = Column(width=COMPONENTS)  # Shiryaev-Roberts statistic of each alternative, in hours
    rise_walk = Column(width=COMPONENTS)  # CUSUM of each alternative, in nats
    rise_since = Column(np.nan, width=COMPONENTS)
    rise_answers = Column(width=COMPONENTS)
    rise_detractors = Column(width=COMPONENTS)
    rise_raw_answers = Column(width=COMPONENTS)
    rise_raw_detractors = Column(width=COMPONENTS)
    hour_answers = Column()  # of the quarantine, this clock hour's
    hour_detractors = Column()
    clock_hour = Column(np.nan)  # the last one with answers
    clock_answers = Column()  # raw, in that hour
    clock_detractors = Column()
    usual_answers = Column()  # raw, fading over four weeks
    usual_hours = Column()  # over which they came
    own_offset = Column()  # the stream's own season in that clock hour, logits
    own_unsure = Column()  # variance of that

    # From here on: only looked at when a stream's clock hour turns; in single precision.
    past_hour = Column(np.nan)
    past_hour_answers = Column()  # raw, here and below; detractors without the season
    past_hour_detractors = Column()
    quarter = Column(np.nan)  # the quarter of a day being filled
    quarter_answers = Column()
    quarter_detractors = Column()
    past_quarter = Column(np.nan)
    past_quarter_answers = Column()
    past_quarter_detractors = Column()
    filling_day = Column(np.nan)
    filling_answers = Column()
    filling_detractors = Column()
    days_upto = Column(np.nan)  # the last day in the ring of seven
    days_answers = Column(width=DAYS)
    days_detractors = Column(width=DAYS)
    profile_weight = Column(width=HOURS)  # precision of the sum, by hour of the day, fading
    profile_sum = Column(width=HOURS)  # of excess logits times precision

    def __init__(self, held: Held, level: Ints, parent: Ints) -> None:
        self._held = held
        self.level = level
        self.parent = parent
        self.values: Floats = held.often[:, : len(level)]  # made once: columns are many

    def __len__(self) -> int:
        return len(self.level)

    @classmethod
    def empty(cls, n: int = 0) -> Self:
        """Hold `n` streams of level 0 without parents, of which nothing was seen."""
        seldom = np.empty((len(cls.layout) - HOT, 0), np.float32)
        none = np.empty(0, np.intp)
        fleet = cls(Held(np.empty((HOT, 0)), seldom), none, none)
        fleet.extend(n)
        return fleet

    def copy(self) -> Self:
        """Copy all; what happens to the copy does not touch the fleet."""
        held = self._held.copy(len(self), len(self))
        return type(self)(held, self.level.copy(), self.parent.copy())

    def extend(
        self, n: int, *, level: Sequence[int] | Ints = (), parent: Sequence[int] | Ints = ()
    ) -> Ints:
        """Add `n` streams of which nothing was seen and return their rows.

        `level` and `parent`: one per stream or nothing. Views taken before may go stale.
        """
        before, after = len(self), len(self) + n
        if after > self._held.room:
            self._held = self._held.copy(before, max(after, 2 * before))
        self.level = np.concatenate([self.level, _one_each(level, n, 0)])
        self.parent = np.concatenate([self.parent, _one_each(parent, n, NO_PARENT)])
        self.values = self._held.often[:, :after]
        self._held.start(slice(before, after), _starts())
        return np.arange(before, after)

    def rows(self, index: Ints) -> Self:
        """Copy the streams at `index`; what happens to the copy does not touch the fleet."""
        held = Held.of(self._held.take(index))
        return type(self)(held, self.level[index], self.parent[index])

    def hot_rows(self, index: Ints) -> Self:
        """Copy as `rows` does what every minute needs; later columns are not in the copy."""
        held = Held.of(self._held.take_often(index, HOT))
        return type(self)(held, self.level[index], self.parent[index])

    def store(self, index: Ints, rows: Self) -> None:
        """Put changed copies back."""
        self._held.put(index, rows.values)

    def to_rows(self, index: Ints) -> Floats:
        """Give each stream's numbers in the order of `STATE_COLUMNS`, one row per stream."""
        return np.ascontiguousarray(self.rows(index).values.T)

    def put_rows(self, index: Ints, rows: Floats, columns: Sequence[str] | None = None) -> None:
        """Take back what `to_rows` gave; a column that `columns` does not name starts anew."""
        known = {name: i for i, name in enumerate(self.layout)}
        named = [(i, name) for i, name in enumerate(columns or self.layout) if name in known]
        fresh = np.tile(_starts()[:, None], (1, len(index)))
        if len(index):
            fresh[[known[name] for _, name in named]] = np.asarray(rows).T[[i for i, _ in named]]
        self._held.put(index, fresh)

    @classmethod
    def from_rows(
        cls,
        rows: Floats,
        *,
        level: Sequence[int] | Ints = (),
        parent: Sequence[int] | Ints = (),
        columns: Sequence[str] | None = None,
    ) -> Self:
        """Build a fleet from what `to_rows` gave, in that order of streams."""
        fleet = cls.empty()
        index = fleet.extend(len(rows), level=level, parent=parent)
        fleet.put_rows(index, rows, columns)
        return fleet


STATE_COLUMNS: tuple[str, ...] = tuple(FleetState.layout)
HOT = STATE_COLUMNS.index("past_hour")


@cache
def _starts() -> Floats:
    return np.array(list(FleetState.layout.values()))


def _one_each(values: Sequence[int] | Ints, n: int, default: int) -> Ints:
    if len(values) not in {0, n}:
        raise ValueError(f"{len(values)} values for {n} streams")
    return np.array(values, np.intp) if len(values) else np.full(n, default, np.intp)
