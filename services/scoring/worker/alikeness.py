"""How alike answers of one day are, or of one agent: estimated from four weeks, now and then."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

import numpy as np
import structlog

from services.scoring.domain.alikeness import Alikeness, learnt_from
from services.scoring.domain.cells import Layout, slice_key
from services.scoring.domain.clusters import Cells, cells_of, intraclass
from services.scoring.domain.questions import Question, Segment
from services.scoring.domain.sheets import Sheet
from services.scoring.domain.windows import Window
from services.scoring.store.crowding import Widening, answered_by_day, days_of
from services.scoring.store.reader import Reader
from shared.errors import Unavailable
from shared.programme.metrics import METRIC_NAMES, Metric, find_metric, scales_of
from shared.programme.scoring import DAY
from shared.tally import Tallies

EVERY_S: Final = 600.0
_FIRST_S: Final = 15.0
_AGAIN_S: Final = 5.0
_AT_ONCE: Final = 4  # days

_log = structlog.get_logger()


@dataclass(frozen=True)
class Estimating:
    """Estimates of the slices that have running counts."""

    widening: Widening
    layout: Layout
    now: Callable[[], datetime]

    async def renew(self) -> None:
        """Estimate all anew. Raises Unavailable; then what was known stays."""
        now = self.now()
        known: dict[tuple[str, str, str], float] = {}
        for name in METRIC_NAMES:
            async with self.widening.reader.snapshot() as connection:
                window = learnt_from(await answered_by_day(connection, name), now)
            if window is None:
                continue
            for slice_ in self.layout.slices:
                by = tuple(slice_.split(",")) if slice_ else ()
                for kind in self.alike.kinds:
                    found = await self._estimate(name, by, kind, window)
                    if found is not None:
                        known[name, slice_, kind] = found
        self.alike.known = known

    @property
    def alike(self) -> Alikeness:
        """Where the estimates are kept."""
        return self.widening.alike

    async def _estimate(
        self, name: str, by: tuple[str, ...], kind: str, window: Window
    ) -> float | None:
        metric = find_metric(name, scales_of(name)[0])
        if kind == DAY:
            return await self._by_day(Question(name, by=by), metric, window)
        finer = (*by, kind)
        if kind in by or slice_key(finer) not in self.layout.slices:
            return None
        sheet = await self._sheet(Question(name, by=finer), [window])
        return await asyncio.to_thread(lambda: _known([_by_value(sheet, metric)]))

    async def _by_day(self, question: Question, metric: Metric, window: Window) -> float | None:
        """A few days at a time: thousands of segments in all of them would hold up everybody."""
        days = days_of(window, self.widening.zone)
        codes: dict[Segment, int] = {}
        parts = []
        for first in range(0, len(days), _AT_ONCE):
            some = days[first : first + _AT_ONCE]
            sheet = await self._sheet(question, some)
            segment = [codes.setdefault(one, len(codes)) for one in sheet.segments]
            tallies = sheet.tallies_over_time(len(some))
            flat = Tallies(*(getattr(tallies, one.name).ravel() for one in fields(Tallies)))
            parts.append(cells_of(np.tile(np.array(segment, np.int64), len(some)), flat, metric))
        return await asyncio.to_thread(_known, parts)

    async def _sheet(self, question: Question, windows: Sequence[Window]) -> Sheet:
        reader = self.widening.reader
        async with reader.snapshot() as connection:
            return await reader.groups(connection, question, windows)


async def keep_alike(estimating: Estimating, stop: asyncio.Event) -> None:
    """Estimate as soon as the columns are filled, then ever more seldom, at last every ten minutes.

    Without columns at once, and in any case after 15 s: out of the columns it takes a second, out
    of the database ten.
    A system that was just started may still be filled: until there is an answer it looks every
    15 s, and then waits twice as long each time. While the database is away: every five seconds.
    """
    wait_s = _FIRST_S
    await _filled(estimating.widening.reader, stop)
    while estimating.alike.kinds and not stop.is_set():
        away = False
        try:
            await estimating.renew()
        except Unavailable as error:
            away = True
            _log.warning("design effects wait for the database", error=str(error)[:300])
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _AGAIN_S if away else wait_s)
        if estimating.alike.known and not away:
            wait_s = min(2 * wait_s, EVERY_S)
    await stop.wait()


async def _filled(reader: Reader, stop: asyncio.Event) -> None:
    if reader.columns is None:
        return
    either = [asyncio.create_task(one.wait()) for one in (reader.columns.filled, stop)]
    await asyncio.wait(either, timeout=_FIRST_S, return_when=asyncio.FIRST_COMPLETED)
    for one in either:
        one.cancel()
    await asyncio.gather(*either, return_exceptions=True)


def _by_value(sheet: Sheet, metric: Metric) -> Cells:
    codes: dict[Segment, int] = {}
    segment = [codes.setdefault(one[:-1], len(codes)) for one in sheet.segments]
    return cells_of(np.array(segment, np.int64), sheet.tallies(0), metric)


def _known(parts: Sequence[Cells]) -> float | None:
    """How alike they are, of all parts together; None where nobody answered."""
    columns = [[getattr(part, one.name) for part in parts] for one in fields(Cells)]
    cells = Cells(*map(np.concatenate, columns))
    return intraclass(cells) if cells.n.any() else None
