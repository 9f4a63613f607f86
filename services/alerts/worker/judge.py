"""The judge: one process at a time brings every line forward, minute by minute.

    elect     a session lock of PostgreSQL; it is lost with its connection, and so are the fleets
    look      how far Kafka goes, how far it was counted, hence which minutes are complete
    close     let no more answers into those minutes
    judge     many minutes a transaction: states, alerts, messages and the position together
    look on   judge what is still open; remember only the alarms
    explain   alerts that grew, afresh, once all lines are judged; for a second a turn

The lock, the positions and every write share one connection, so a judge that lost its lock cannot
write. A position that is not where this judge left it makes it read the line again.

A line begins to be judged with its 50th answer: before that no alarm can come up, and what is
imported from the past still takes its place in time.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.alerts.domain.answers import Line, begin_of
from services.alerts.domain.layout import Outdated
from services.alerts.metrics import ELECTED, OUTDATED, TURN_SECONDS
from services.alerts.store.election import elect
from services.alerts.store.fleet import Fleet
from services.alerts.store.lines import Standing, close_minutes, note_judged, read_lines
from services.alerts.worker.courtroom import Courtroom, Terms
from services.alerts.worker.lookout import Lookout
from services.alerts.worker.observing import forget_observed, observe_fleets, observe_time
from services.alerts.worker.turns import take_turns
from shared.failpoints import Point, hit
from shared.stream.pipeline import Health

_log = structlog.get_logger()
_LOOK_S: Final = 1.0
_OPEN_SPAN: Final = 3  # minutes that may be judged as one while they are open


class Judge:
    """Judges while it is elected; any fault makes it give up its place and begin anew."""

    def __init__(self, engine: AsyncEngine, lookout: Lookout, terms: Terms) -> None:
        self._engine = engine
        self._lookout = lookout
        self._terms = terms
        self._connection: AsyncConnection | None = None
        self._fleets: dict[Line, Fleet] = {}
        self._seen_open: dict[Line, tuple[object, ...]] = {}
        self.health = Health()
        self.outdated: str | None = None  # why it stands down, whoever else judges

    @property
    def elected(self) -> bool:
        """Whether this process judges."""
        return self._connection is not None

    @property
    def full_dimensions(self) -> list[str]:
        """Dimensions whose further values are watched together."""
        return sorted({n for f in self._fleets.values() for n in f.catalogue.full_dimensions()})

    async def run(self, stop: asyncio.Event, *, every_s: float = 0.5) -> None:
        """Judge until stopped; the chunk under way is finished first."""
        try:
            await take_turns("judge", self.turn, stop, health=self.health, every_s=every_s)
        finally:
            await self.abdicate()

    async def turn(self) -> bool:
        """Take one turn; say whether more can be judged at once."""
        try:
            if self._connection is None:
                self._connection = await self._stand()
                if self._connection is None:
                    return False
                ELECTED.set(1)
                _log.info("elected to judge")
            with TURN_SECONDS.time():
                return await self._judge(self._connection)
        except BaseException:
            await self.abdicate()
            raise

    async def abdicate(self) -> None:
        """Let go of the lock, with the connection that holds it, and of the fleets."""
        connection, self._connection = self._connection, None
        self._fleets.clear()
        self._seen_open.clear()
        self._lookout.forget()
        ELECTED.set(0)
        forget_observed()
        if connection is not None:
            await connection.invalidate()
            await connection.close()

    async def _stand(self) -> AsyncConnection | None:
        """Stand for election, unless a newer version has judged: that is said once."""
        try:
            connection = await elect(self._engine)
        except Outdated as newer:
            if self.outdated is None:
                _log.warning("does not judge", reason=str(newer))
            self.outdated, connection = str(newer), None
        else:
            self.outdated = None
        OUTDATED.set(self.outdated is not None)
        return connection

    # ------------------------------------------------------------------ one turn
    async def _judge(self, connection: AsyncConnection) -> bool:
        await self._lookout.look(connection)
        async with connection.begin():
            standings = await read_lines(connection)
        begun = [standing for standing in standings if self._has_begun(standing)]
        policy = self._terms.share(len(begun))
        court = Courtroom(connection, self._terms)
        more, behind = False, []
        for standing in begun:
            fleet = self._fleets.get(standing.line)
            if fleet is None or fleet.judged_to != standing.judged_to:
                fleet = self._fleets[standing.line] = await court.load(standing)
            fleet.detector.policy = policy
            reached, left = await self._judge_line(connection, court, fleet, standing)
            more = more or left
            behind += [reached] if reached is not None else []
        await self._note_time(connection, standings, behind)
        await self._look_again(court)
        observe_fleets(self._fleets.values())
        return more

    async def _look_again(self, court: Courtroom) -> None:
        """Explain alerts afresh, line after line in turn; what is left is due at the next turn."""
        until = time.monotonic() + _LOOK_S
        for line, fleet in list(self._fleets.items()):
            if fleet.looks_due and time.monotonic() < until:
                self._fleets[line] = self._fleets.pop(line)
                await court.look_again(fleet, until)

    def _has_begun(self, standing: Standing) -> bool:
        return standing.closed_to > 0 or standing.answers >= self._terms.policy.warm_answers

    async def _judge_line(
        self, connection: AsyncConnection, court: Courtroom, fleet: Fleet, standing: Standing
    ) -> tuple[datetime | None, bool]:
        """Judge what can be; return how far that came, None for all of it, and if more is ready."""
        mark, last = self._lookout.watermark(standing.line), standing.last
        target = mark.closes(standing.closed_to, last)
        if target > standing.closed_to:
            await close_minutes(connection, standing.line, target)
            hit(Point.MINUTES_CLOSED)
            standing = replace(standing, closed_to=target)
        due = target > standing.judged_to or standing.by_hand
        if due:
            self._seen_open.pop(standing.line, None)  # the fleet has moved on: look once more
            if await court.judge_closed(fleet, standing):
                return begin_of(fleet.judged_to + 1), True
        if last is None or last <= target or standing.newest is None:
            return None, False
        if not mark.known or last - target > _OPEN_SPAN:
            return begin_of(target + 1), False
        seen = (last, standing.answers, standing.newest, target)
        if self._seen_open.get(standing.line) != seen:
            await court.judge_open(fleet, standing, standing.newest)
            self._seen_open[standing.line] = seen
        return None, False

    async def _note_time(
        self,
        connection: AsyncConnection,
        standings: Sequence[Standing],
        behind: Sequence[datetime],
    ) -> None:
        newest = [standing.newest for standing in standings if standing.newest is not None]
        if not newest:
            return
        judged_at = min(behind) if behind else max(newest)
        await note_judged(connection, judged_at)
        observe_time(judged_at)
