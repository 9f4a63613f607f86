"""The watched streams, as a few questions a minute may read them."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.domain.columns import Floats
from services.alerts.domain.sensible import StreamSensitivity, describe
from services.alerts.domain.sensitivity import Standing, measure_sensitivity, usual_daily
from services.alerts.domain.terms import Policy
from services.alerts.store.election import find_newer
from services.alerts.store.fleet import Fleet, read_fleet
from services.alerts.store.lines import read_lines
from shared.errors import Unavailable
from shared.segments import Lattice, read_segment_key

_FRESH_S: Final = 600.0  # streams change slowly, and reading all of them is not for every question
Key = tuple[float, str, str, str]  # busiest first: minus the answers a day, then the names


@dataclass(frozen=True)
class Watched:
    """A line's fleet as of its minute, with the usual raw answers a day by row."""

    fleet: Fleet
    daily: Floats

    @property
    def now_h(self) -> float:
        return (self.fleet.judged_to + 1) / 60


@dataclass(frozen=True)
class Row:
    """A stream of a line, by its row in the fleet."""

    watched: Watched
    row: int

    @property
    def segment(self) -> str:
        return self.watched.fleet.catalogue.segments[self.row]

    @property
    def key(self) -> Key:
        daily = float(self.watched.daily[self.row])
        return -round(daily, 6), *self.watched.fleet.line, self.segment


class Streams:
    """The streams of all lines as they were up to ten minutes ago, the busiest first."""

    def __init__(
        self,
        engine: AsyncEngine,
        policy: Policy,
        lattice: Lattice,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.engine = engine
        self.policy = policy
        self.lattice = lattice
        self._monotonic = monotonic
        self._lock = asyncio.Lock()
        self._rows: list[Row] = []
        self._read_at: float | None = None

    async def rows(self) -> Sequence[Row]:
        """Read them, unless they were lately."""
        async with self._lock:
            at = self._monotonic()
            if self._read_at is None or at - self._read_at > _FRESH_S:
                self._rows, self._read_at = await self._read(), at
        return self._rows

    async def _read(self) -> list[Row]:
        rows: list[Row] = []
        async with self.engine.connect() as connection, connection.begin():
            if (newer := await find_newer(connection)) is not None:
                raise Unavailable(str(newer))
            for standing in await read_lines(connection):
                if standing.judged_to <= 0:
                    continue
                where = (standing.line, standing.judged_to)
                fleet = await read_fleet(connection, *where, self.policy, self.lattice)
                seen = np.flatnonzero(fleet.state.seen > 0)
                daily = np.zeros(len(fleet.state))
                daily[seen] = usual_daily(fleet.state.rows(seen), (fleet.judged_to + 1) / 60)
                line = Watched(fleet, daily)
                rows += [Row(line, row) for row in seen.tolist()]
        return sorted(rows, key=lambda row: row.key)

    def describe(self, rows: Sequence[Row]) -> list[StreamSensitivity]:
        """Measure these streams."""
        said: dict[Key, StreamSensitivity] = {}
        for line in {row.watched.fleet.line: row.watched for row in rows}.values():
            mine = [row for row in rows if row.watched is line]
            said |= zip([row.key for row in mine], self._measure(line, mine), strict=True)
        return [said[row.key] for row in rows]

    def _measure(self, line: Watched, rows: Sequence[Row]) -> list[StreamSensitivity]:
        index = np.array([row.row for row in rows], np.intp)
        fleet, detector = line.fleet, line.fleet.detector
        copies = fleet.state.rows(index)
        standing = Standing(
            rows=copies,
            log_thresholds=detector.budget.log_thresholds[copies.level],
            dispersion=detector.dispersion.of(copies),
            daily=line.daily[index],
            now_h=line.now_h,
        )
        found = measure_sensitivity(standing, self.policy, detector.terms)
        metric, survey = fleet.line
        return [
            describe(
                found, i, (metric, survey, read_segment_key(row.segment)),
                float(standing.daily[i]), self.policy.smallest_rise,
            )
            for i, row in enumerate(rows)
        ]  # fmt: skip
