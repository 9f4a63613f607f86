"""Relational surveys: whoever is due becomes an event, which is decided as any other."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.trigger.domain.occasions import read_occasion
from services.trigger.domain.relational import event_of
from services.trigger.domain.schedules import LONGEST_PAUSE, Leg, Position, next_leg, stretches
from services.trigger.handlers import Arrival, Desk, Publish, on_batch
from services.trigger.metrics import SCHEDULE_BEHIND, SCHEDULE_SKIPPED
from services.trigger.store.ledger import SqlLedger
from services.trigger.store.schedules import (
    Found,
    due_after_first,
    due_in_stretch,
    move_schedule,
    read_positions,
    take_schedule,
)
from services.trigger.worker.faults import failed
from services.trigger.worker.waiting import first_of
from shared.programme.models import Survey, Trigger
from shared.stream.verdict import Verdict, judge

_log = structlog.get_logger()
_LOOK_EVERY_S: Final = 15.0
_MOST: Final = 500
_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class _Way:
    """What a part of a schedule's way is decided with."""

    connection: AsyncConnection
    trigger: Trigger
    leg: Leg
    desk: Desk


@dataclass(frozen=True)
class Schedules:
    """The worker that moves the schedules of all relational surveys; any number may run.

    A schedule moves in the transaction of what it decides, and one process moves it at a time: a
    crash leaves nobody out and asks nobody twice. A customer who cannot be decided on for a fault
    of ours is left out this time, and keeps nobody else waiting. `desk` gives what to decide with
    now. `decided` is called after each commit. `pause`: how long a break counts as work. At most
    `most` customers are decided on in a transaction.
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
                except Exception as error:  # noqa: BLE001 - no fault of one ends the process
                    failed("schedules", error, survey=trigger.key)
            await first_of((stop,), (), _LOOK_EVERY_S)

    async def follow(self, trigger: Trigger, stop: asyncio.Event | None = None) -> int:
        """Move one schedule as far as it may go now; how many customers were decided on."""
        await self._tell_behind(trigger.survey)
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
            if leg.begin == leg.end:
                return 0, False
            found, reached = await self._due(connection, survey, leg, desk)
            if found:
                way = _Way(connection, trigger, leg, desk)
                await self._decide(sorted(found, key=lambda each: each.customer_id), way)
            await move_schedule(connection, survey.key, reached)
        return len(found), reached.at < leg.end

    async def _tell_behind(self, survey: str) -> None:
        """Read it, for whoever does not hold the schedule would else tell what was true once."""
        async with self.engine.connect() as connection:
            position = (await read_positions(connection)).get(survey)
        now = self.desk().now
        behind = max(now - (position or now), timedelta(0))
        SCHEDULE_BEHIND.labels(survey).set(behind.total_seconds())
        SCHEDULE_SKIPPED.labels(survey)  # shown before the first, which is an increase then

    async def _decide(self, found: Sequence[Found], way: _Way) -> None:
        """Decide on these, in the order of their ids; halved until who is at fault stands alone."""
        try:
            async with way.connection.begin_nested():
                arrivals = [_arrival(each, way) for each in found]
                ledger = SqlLedger(way.connection)
                await on_batch(arrivals, [], ledger, self.publish, way.desk)
        except Exception as error:
            verdict, alone = judge(error), len(found) == 1
            if verdict is Verdict.WEATHER or (alone and verdict.passes):
                raise
            if alone:
                _skip(found[0], way.trigger.survey)
                return
        else:
            return
        half = len(found) // 2
        await self._decide(found[:half], way)
        await self._decide(found[half:], way)

    async def _due(
        self, connection: AsyncConnection, survey: Survey, leg: Leg, desk: Desk
    ) -> tuple[list[Found], Position]:
        """Who is due on the first part of the way, and where that part ends."""
        if survey.after_first is not None:
            found = await due_after_first(connection, survey.after_first, leg, self.most)
            if len(found) < self.most:
                return found, leg.stopped(leg.end)
            last = found[-1]
            return found, leg.stopped(last.moment, last.customer_id)
        found = await self._due_by_slot(connection, survey, leg, desk)
        if len(found) <= self.most:
            return found, leg.stopped(leg.end)
        cut = max(found[self.most].moment, leg.begin + _TICK)
        return [due for due in found if due.moment < cut], leg.stopped(cut)

    async def _due_by_slot(
        self, connection: AsyncConnection, survey: Survey, leg: Leg, desk: Desk
    ) -> list[Found]:
        """Who is due on the way by their slots; one more than fit, where there is one."""
        found: list[Found] = []
        rhythm, zone = survey.every, desk.programme.zone
        if rhythm is None:
            return found
        for stretch in stretches(rhythm, survey.key, leg.begin, leg.end, zone):
            found += await due_in_stretch(connection, stretch, self.most + 1 - len(found))
            if len(found) > self.most:
                break
        return found


def _arrival(found: Found, way: _Way) -> Arrival:
    dimensions = way.desk.programme.segments.paths
    event = event_of(found.read(), way.trigger, found.moment + way.leg.behind, dimensions)
    return Arrival(read_occasion(event, dimensions))


def _skip(found: Found, survey: str) -> None:
    SCHEDULE_SKIPPED.labels(survey).inc()
    about = {"survey": survey, "customer": found.customer_id, "subject": found.subject_id}
    _log.exception("a customer cannot be decided on and is left out this time", **about)
