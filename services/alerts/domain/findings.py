"""What one minute said, with the rows and the time that it is about."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from services.alerts.domain.causes import Crossed
from services.alerts.domain.columns import Ints
from services.alerts.domain.estimates import estimate, hurt_per_hour
from services.alerts.domain.facts import Crossing, Rates, Rise, Size
from services.alerts.domain.judgement import Judgement

_EXACT: Final = 1e-5  # a whole minute held as hours may miss it by so much


@dataclass(frozen=True)
class Finding:
    """A judgement of a minute; `at` is the event time up to which its answers were seen.

    `provisional`: the minute is still open, and the fleet does not know of it.
    """

    index: Ints
    judgement: Judgement
    minute: int
    at: datetime
    provisional: bool = False

    @property
    def now_h(self) -> float:
        return (self.minute + 1) / 60

    def place(self, row: int) -> int | None:
        """Where a row stands in the judgement."""
        place = int(np.searchsorted(self.index, row))
        return place if place < len(self.index) and self.index[place] == row else None

    def row(self, i: int) -> int:
        return int(self.index[i])

    def fired(self) -> list[int]:
        """Places that raise an alarm, the one furthest above its threshold first."""
        said = self.judgement
        fired = np.flatnonzero(said.fired)
        margin = said.log_evidence[fired] - said.log_threshold[fired]
        places: list[int] = fired[np.argsort(-margin, kind="stable")].tolist()
        return places

    def began_at(self, i: int) -> datetime:
        """The beginning of the minute in which a stream's excursion began."""
        # Rounded, an onset in the second half of the open minute would lie in the future.
        minute = math.floor(float(self.judgement.onset_h[i]) * 60 + _EXACT)
        return datetime.fromtimestamp(minute * 60, UTC)

    def crossing(self, i: int, segment: dict[str, str]) -> Crossing:
        """How a stream crossed its threshold."""
        size, began_at = self.size(i), self.began_at(i)
        return Crossing(
            segment=segment,
            began_at=began_at,
            opened_at=max(self.at, began_at),
            n=size.n,
            rates=size.rates,
        )

    def crossed(self, i: int, segment: dict[str, str]) -> Crossed:
        """What is to be explained of a stream that crossed its threshold."""
        said = self.judgement
        return Crossed(
            segment=segment,
            rate=float(said.baseline_rate[i]),
            dispersion=float(said.dispersion[i]),
            margin=float(said.log_evidence[i] - said.log_threshold[i]),
            answers=float(said.answers[i]),
            detractors=float(said.detractors[i]),
        )

    def size(self, i: int) -> Size:
        """The numbers of a stream's excursion, or of its alert since that began."""
        said = self.judgement
        answers, detractors = float(said.answers[i]), float(said.detractors[i])
        rate = float(said.baseline_rate[i])
        found = estimate(
            detractors=detractors,
            answers=answers,
            baseline_rate=rate,
            baseline_mass=float(said.baseline_mass[i]),
            dispersion=float(said.dispersion[i]),
        )
        hurt = hurt_per_hour(
            detractors=detractors,
            answers=answers,
            baseline_rate=rate,
            hours=self.now_h - float(said.onset_h[i]),
        )
        rates = Rates(
            baseline=found.baseline, current=found.current, interval=found.current_interval
        )
        rise = Rise(points=found.rise_points, interval=found.rise_interval)
        return Size(
            n=round(answers), detractors=round(detractors), rates=rates, rise=rise,
            hurt_per_hour=hurt,
        )  # fmt: skip
