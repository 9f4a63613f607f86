"""Relational surveys: whoever is due becomes an event, which is decided as any other."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.trigger.domain.occasions import read_occasion
from services.trigger.domain.relational import Due, event_of
from services.trigger.domain.schedules import LONGEST_PAUSE, Leg, Position, next_leg, stretches
from services.trigger.handlers import Arrival, Desk, Publish, on_batch
from services.trigger.metrics import SCHEDULE_BEHIND
from services.trigger.store.ledger import SqlLedger
from services.trigger.store.schedules import (
    due_after_first,
    due_in_stretch,
    move_schedule,
    take_schedule,
)
from services.trigger.worker.waiting import WEATHER, first_of
from shared.programme.models import Survey, Trigger

_log = structlog.get_logger()
_LOOK_EVERY_S: Final = 15.0
_MOST: Final = 500
_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class Schedules:
    """The worker that moves the schedules of all relational surveys; any number may run.

    A schedule moves in the transaction of what it decides, and one process moves it at a time: a
    crash leaves nobody out and asks nobody twice. `desk` gives what to decide with now. `decided`
    is called after each commit. `pause`: how long a break counts as work. At most `most` customers
    are decided on in a transaction.
    """

    engine: AsyncEngine
    publish: Publish
    desk: Callable[[], Desk]
    decided: Callable[[], None]
    pause: timedelta = LONGEST_PAUSE
    most: int = _MOST

    async def run(self, stop: asyncio.Event) -> None:
        """Move every schedule each 15 s until `stop` is set."""
        while not stop.is_set():
            for trigger in self.desk().programme.schedules.values():
                try:
                    await self.follow(trigger, stop)
                except WEATHER as error:
                    _log.warning("a schedule waits", survey=trigger.key, error=type(error).__name__)
            await first_of((stop,), (), _LOOK_EVERY_S)

    async def follow(self, trigger: Trigger, stop: asyncio.Event | None = None) -> int:
        """Move one schedule as far as it may go now; how many customers were decided on."""
        total = 0
        while stop is None or not stop.is_set():
            number, more = await self._step(trigger)
            total += number
            if number:
                self.decided()
            if not more:
                break
        return total

    async def _step(self, trigger: Trigger) -> tuple[int, bool]:
        desk = self.desk()
        survey = desk.programme.surveys[trigger.survey]
        async with self.engine.begin() as connection:
            position = await take_schedule(connection, survey.key, desk.now)
            if position is None:
                return 0, False
            leg = next_leg(position, desk.now, survey, self.pause)
            SCHEDULE_BEHIND.labels(survey.key).set(leg.behind.total_seconds())
            if leg.begin == leg.end:
                return 0, False
            due, reached = await self._due(connection, survey, leg, desk)
            if due:
                arrivals = [_arrival(each, trigger, leg, desk) for each in due]
                await on_batch(arrivals, [], SqlLedger(connection), self.publish, desk)
            await move_schedule(connection, survey.key, reached)
        return len(due), reached.at < leg.end

    async def _due(
        self, connection: AsyncConnection, survey: Survey, leg: Leg, desk: Desk
    ) -> tuple[list[Due], Position]:
        """Who is due on the first part of the way, and where that part ends."""
        if survey.after_first is not None:
            found = await due_after_first(connection, survey.after_first, leg, self.most)
            if len(found) < self.most:
                return found, leg.stopped(leg.end)
            last = found[-1]
            return found, leg.stopped(last.moment, last.contact.customer.id)
        found = await self._due_by_slot(connection, survey, leg, desk)
        if len(found) <= self.most:
            return found, leg.stopped(leg.end)
        cut = max(found[self.most].moment, leg.begin + _TICK)
        return [due for due in found if due.moment < cut], leg.stopped(cut)

    async def _due_by_slot(
        self, connection: AsyncConnection, survey: Survey, leg: Leg, desk: Desk
    ) -> list[Due]:
        """Who is due on the way by their slots; one more than fit, where there is one."""
        found: list[Due] = []
        rhythm, zone = survey.every, desk.programme.zone
        if rhythm is None:
            return found
        for stretch in stretches(rhythm, survey.key, leg.begin, leg.end, zone):
            found += await due_in_stretch(connection, stretch, self.most + 1 - len(found))
            if len(found) > self.most:
                break
        return found


def _arrival(due: Due, trigger: Trigger, leg: Leg, desk: Desk) -> Arrival:
    dimensions = desk.programme.segments.paths
    event = event_of(due, trigger, due.moment + leg.behind, dimensions)
    return Arrival(read_occasion(event, dimensions))
