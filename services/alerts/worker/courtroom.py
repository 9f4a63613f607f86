"""What one line's judgement writes: chunk by chunk, all of it in one transaction each."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain.ahead import Ahead
from services.alerts.domain.answers import Line, begin_of
from services.alerts.domain.cases import Docket
from services.alerts.domain.mixes import Mix, left_out
from services.alerts.domain.streams import LeafTick
from services.alerts.domain.terms import Policy
from services.alerts.handlers.bench import Bench
from services.alerts.handlers.judging import close_minute, look_ahead, settle_by_hand
from services.alerts.handlers.locating import Scenes
from services.alerts.handlers.looking import look_again, looks_due
from services.alerts.handlers.waiting import rows_above
from services.alerts.metrics import JUDGED
from services.alerts.store.alerts import read_docket, write_docket
from services.alerts.store.announcing import Ways
from services.alerts.store.fleet import Fleet, read_fleet, write_fleet
from services.alerts.store.lines import Standing, move, read_chunk
from services.alerts.store.mixes import heed, read_mixes
from services.alerts.store.opened import read_changed, read_moment, read_open
from services.alerts.store.past import SqlPast
from services.alerts.worker.observing import log_waiting, observe_docket, observe_open
from services.alerts.worker.turns import Clock
from shared.failpoints import Point, hit
from shared.segments import Lattice

MINUTE: Final = timedelta(minutes=1) - timedelta.resolution
# Much less than the standstill after which PostgreSQL ends the judge's connection.
_CHUNK_S: Final = 2.0


def _nobody() -> None:
    return


@dataclass(frozen=True)
class Terms:
    """What is judged by, and who is told. The promise of `policy` is over all lines.

    `changed` is called once changes of alerts are committed.
    """

    policy: Policy
    lattice: Lattice
    ways: Ways
    clock: Clock
    changed: Callable[[], None] = _nobody

    def share(self, lines: int) -> Policy:
        """A line's part of the promise; each line keeps the one per so many answers by itself."""
        allowed = self.policy.false_alarms_per_week / max(lines, 1)
        return replace(self.policy, false_alarms_per_week=allowed)


class Courtroom:
    """Judges lines on the connection that holds the judge's lock."""

    def __init__(self, connection: AsyncConnection, terms: Terms) -> None:
        self._connection = connection
        self._terms = terms

    async def load(self, standing: Standing) -> Fleet:
        """Read a line's fleet as it was stored."""
        terms = self._terms
        async with self._connection.begin():
            fleet = await read_fleet(
                self._connection, standing.line, standing.judged_to, terms.policy, terms.lattice
            )
            docket = await read_docket(self._connection, fleet.line)
            fleet.looks_due = len(looks_due(docket))
            fleet.waiting.update(rows_above(fleet.detector, fleet.state))
            observe_open(fleet.line, docket)
        return fleet

    async def judge_closed(self, fleet: Fleet, standing: Standing) -> bool:
        """Judge a chunk of closed minutes for good; say whether there are more.

        It ends after two seconds, and with the minute after which alerts are due to be looked at
        again, so that they are looked at as of then, unless others have been due for longer:
        those delay nothing.
        """
        connection, waited = self._connection, len(fleet.waiting)
        until = time.monotonic() + _CHUNK_S
        async with connection.begin():
            docket = await read_docket(connection, fleet.line)
            bench = self._bench(fleet, docket)
            settle_by_hand(bench, standing.judged_to)
            upto, minutes = await read_chunk(connection, standing)
            mixes = await self._mixes(fleet, standing.judged_to, begin_of(upto + 1))
            judged = 0
            for minute, ticks in minutes.items():
                at = begin_of(minute)
                await close_minute(
                    bench, minute, ticks, left_out(mixes, fleet.catalogue, at, at + MINUTE)
                )
                await asyncio.sleep(0)  # others share this loop
                judged += 1
                looks = not fleet.looks_due and looks_due(docket)
                if looks or time.monotonic() > until:
                    upto = minute
                    break
            await write_fleet(connection, fleet, bench.touched)
            await self._write(docket)
            await move(connection, standing, upto)
            hit(Point.JUDGED)
        fleet.judged_to, fleet.ahead = upto, None
        fleet.looks_due = len(looks_due(docket))
        JUDGED.inc(judged)
        self._note(fleet.line, docket)
        log_waiting(fleet.line, waited, len(fleet.waiting))
        return upto < standing.closed_to

    async def judge_open(self, fleet: Fleet, standing: Standing, heard: datetime) -> None:
        """Look for alarms in the minutes that may still grow; keep nothing else."""
        connection = self._connection
        async with connection.begin():
            docket = await read_docket(connection, fleet.line)
            if docket.take_settled(standing.judged_to):  # the fleet is told first, next turn
                return
            since = await read_moment(connection)
            ahead, ticks = await self._ahead(fleet, standing.closed_to)
            mixes = await self._mixes(fleet, standing.closed_to, heard)
            skewed = left_out(mixes, fleet.catalogue, begin_of(standing.closed_to + 1), heard)
            await look_ahead(self._bench(fleet, docket), ahead, ticks, heard, skewed)
            ahead.since = since
            await self._write(docket)
        self._note(fleet.line, docket)

    async def _ahead(self, fleet: Fleet, closed_to: int) -> tuple[Ahead, Sequence[LeafTick]]:
        """The copy that looks ahead, and what it has not seen; a new one where some was taken."""
        if fleet.ahead is not None and fleet.ahead.since is not None:
            since = fleet.ahead.since
            changed = await read_changed(self._connection, fleet.line, closed_to, since)
            if fleet.ahead.news(changed) is not None:
                return fleet.ahead, changed
        fleet.ahead = Ahead.of(fleet.detector, fleet.state, (closed_to + 1) / 60)
        return fleet.ahead, await read_open(self._connection, fleet.line, closed_to)

    async def look_again(self, fleet: Fleet, until: float) -> None:
        """Look again at alerts that grew, one in a transaction, the most urgent first.

        The first at once, another only before that moment of the monotonic clock.
        """
        scenes: Scenes | None = None
        while fleet.looks_due:
            async with self._connection.begin():
                docket = await read_docket(self._connection, fleet.line)
                due = looks_due(docket)
                if due:
                    bench = self._bench(fleet, docket)
                    scenes = scenes or Scenes(bench, fleet.judged_to)
                    await look_again(bench, due[0], scenes)
                    await self._write(docket)
            fleet.looks_due = max(len(due) - 1, 0)
            self._note(fleet.line, docket)
            if time.monotonic() >= until:
                return

    async def _mixes(self, fleet: Fleet, minute: int, until: datetime) -> list[Mix]:
        """The maintenance windows that touch what comes after a minute, with what they skew."""
        lattice, span, known = self._terms.lattice, (begin_of(minute), until), set(fleet.mixes)
        mixes = await read_mixes(self._connection, fleet.line, lattice, fleet.mixes, span)
        await heed(self._connection, fleet.line, fleet.mixes.keys() - known, minute)
        return mixes

    async def _write(self, docket: Docket) -> None:
        await write_docket(self._connection, docket, self._terms.ways)
        if docket.changes:
            hit(Point.ALERT_WRITTEN)

    def _bench(self, fleet: Fleet, docket: Docket) -> Bench:
        return Bench(
            line=fleet.line,
            promise=self._terms.policy.false_alarms_per_week,
            detector=fleet.detector,
            fleet=fleet.state,
            catalogue=fleet.catalogue,
            docket=docket,
            past=SqlPast(self._connection, fleet.line),
            now=self._terms.clock(),
            draw_id=lambda: f"a-{uuid4().hex[:26]}",
            waiting=fleet.waiting,
        )

    def _note(self, line: Line, docket: Docket) -> None:
        """What was committed is shown, and told."""
        if docket.changes:
            hit(Point.ALERT_COMMITTED)
            self._terms.changed()
        observe_docket(line, docket)
