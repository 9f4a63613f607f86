"""Scores of the segments that the programme names, computed anew every 15 s for Prometheus."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg
import numpy as np
import structlog

from services.scoring.domain.questions import Question
from services.scoring.domain.scores import Floats, Score, score_of
from services.scoring.domain.sheets import Sheet
from services.scoring.domain.windows import Window
from services.scoring.metrics import Label, ScoreGauges
from services.scoring.store.crowding import Widening
from services.scoring.store.reader import Reader
from shared.errors import Unavailable
from shared.programme.metrics import find_metric, scales_of
from shared.programme.models import Gauge
from shared.segments import segment_key
from shared.tally import Tally

SEGMENTS_AT_MOST: Final = 200
EVERY_S: Final = 15.0
_NOBODY: Final = Score(Tally(), None, None, sufficient=False)

_log = structlog.get_logger()


class _Counted(NamedTuple):
    """The segments of a gauge, and the design effect of each."""

    sheet: Sheet
    effects: Floats


class _Candidate(NamedTuple):
    """Sorts by falling n, and where that is the same by name: no segment comes and goes."""

    fewer: int
    label: Label
    tally: Tally
    deff: float


@dataclass
class GaugeBoard:
    """Keeps the board: the segments with most answers over all gauges; the rest is counted.

    A segment shown before of which nobody answers any more is shown with no score and an n of 0
    while there is room.
    """

    gauges: Sequence[Gauge]
    reader: Reader
    now: Callable[[], datetime]
    board: ScoreGauges
    widening: Widening | None = None
    most: int = SEGMENTS_AT_MOST
    _shown: set[Label] = field(default_factory=set, init=False)

    async def compute(self) -> None:
        """Show the scores as they are now. Raises Unavailable; what is shown stays."""
        now = self.now()
        found: dict[Label, _Candidate] = {}
        left_out = 0
        async with self.reader.snapshot() as connection:
            for gauge in self.gauges:
                best, beyond = _best(gauge, await self._counted(connection, gauge, now), self.most)
                found |= {one.label: one for one in best}
                left_out += beyond
        answered = sorted(one for one in found.values() if one.fewer)
        chosen = answered[: self.most]
        scores = {one.label: _score(one) for one in chosen}
        silent = (found.keys() | self._shown) - {one.label for one in answered}
        scores |= dict.fromkeys(sorted(silent)[: self.most - len(scores)], _NOBODY)
        self._shown = set(scores)
        self.board.show(scores, left_out + len(answered) - len(chosen), now)

    async def _counted(
        self, connection: asyncpg.Connection, gauge: Gauge, now: datetime
    ) -> _Counted:
        question = Question(gauge.metric, gauge.survey, gauge.by, tuple(gauge.where.items()))
        windows = [Window(now - gauge.length, now)]
        sheet = await self.reader.groups(connection, question, windows)
        if self.widening is None:
            return _Counted(sheet, np.ones(len(sheet.segments)))
        effects = await self.widening.effects(connection, question, windows, sheet)
        return _Counted(sheet, effects[0])


async def keep_gauges(board: GaugeBoard, stop: asyncio.Event, *, every_s: float = EVERY_S) -> None:
    """Compute the gauges again and again; no fault of theirs ends the process."""
    while not stop.is_set():
        try:
            if board.gauges:
                await board.compute()
        except Unavailable:
            _log.warning("gauges wait for the database")
        except Exception:  # noqa: BLE001 - no fault of gauges ends the process
            _log.exception("gauges could not be computed")
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every_s)
    board.board.forget()


def _best(gauge: Gauge, counted: _Counted, most: int) -> tuple[list[_Candidate], int]:
    """The segments with most answers, and how many others have some."""
    sheet = counted.sheet
    counts = sheet.n(0)
    places = list(range(len(counts)))
    if len(counts) > most:
        least = np.partition(counts, -most)[-most]
        above = np.flatnonzero(counts > least).tolist()
        level = np.flatnonzero(counts == least).tolist()
        level.sort(key=lambda place: sheet.segments[place])
        places = [*above, *level[: most - len(above)]]
    best = [_candidate(gauge, counted, place) for place in places]
    return best, int(np.count_nonzero(counts)) - sum(one.fewer < 0 for one in best)


def _candidate(gauge: Gauge, counted: _Counted, place: int) -> _Candidate:
    values = zip(gauge.by, counted.sheet.segments[place], strict=True)
    segment = segment_key({**gauge.where, **dict(values)})
    tally = counted.sheet.group(0, place).tally
    label = Label(gauge.metric, gauge.survey or "", gauge.window, segment)
    return _Candidate(-tally.n, label, tally, float(counted.effects[place]))


def _score(one: _Candidate) -> Score:
    metric = one.label.metric
    return score_of(one.tally, find_metric(metric, scales_of(metric)[0]), deff=one.deff)
