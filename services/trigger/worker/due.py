"""What waited for its delay, or for its subject to settle, is decided when it is due."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.handlers import Desk, Publish, on_due
from services.trigger.metrics import DUE_BEHIND, DUE_PUT_OFF
from services.trigger.store.ledger import SqlLedger
from services.trigger.store.waiting import behind_s
from services.trigger.worker.waiting import WEATHER, first_of
from shared.failpoints import Point, hit
from shared.stream.verdict import Verdict, judge

_log = structlog.get_logger()
_MOST: Final = 500
_LOOK_S: Final = 0.1  # what is due in a longer time would hold its customers, and us, for long
_PUT_OFF: Final = timedelta(hours=1)


@dataclass
class Due:
    """The worker that decides what is due, customer by customer; any number may run.

    `desk` gives what to decide with now. `decided` is called after each commit.
    """

    engine: AsyncEngine
    publish: Publish
    desk: Callable[[], Desk]
    decided: Callable[[], None]

    async def run(self, stop: asyncio.Event) -> None:
        """Decide until `stop` is set."""
        while not stop.is_set():
            try:
                number = await self.once()
            except WEATHER as error:
                _log.warning("what is due waits", error=type(error).__name__)
                DUE_BEHIND.inc(_LOOK_S)  # nobody can say; it grows until somebody has looked
                number = 0
            if number < _MOST:
                await first_of((stop,), (), _LOOK_S)

    async def once(self) -> int:
        """Decide what is due now, at most 500 events and what goes with them; how many.

        A customer whose questions cannot be decided for a fault of ours waits an hour, and keeps
        nobody else waiting.
        """
        try:
            return await self.decide(_MOST)
        except Exception as error:
            if judge(error) is Verdict.WEATHER:
                raise
            _log.warning("what is due is decided one by one", error=type(error).__name__)
            return await self._one_by_one()

    async def decide(self, most: int) -> int:
        """Decide what is due of at most so many customers; how many events that were."""
        async with self.engine.begin() as connection:
            desk = self.desk()
            number = await on_due(most, SqlLedger(connection), self.publish, desk)
            behind = await behind_s(connection, desk.now)
        DUE_BEHIND.set(behind)
        if number:
            hit(Point.DUE_COMMITTED)
            self.decided()
        return number

    async def _one_by_one(self) -> int:
        decided = 0
        for _ in range(_MOST):
            try:
                number = await self.decide(1)
            except Exception as error:
                if judge(error) is Verdict.WEATHER:
                    raise
                await self._put_off()
                continue
            if not number:
                break
            decided += number
        return decided

    async def _put_off(self) -> None:
        now = self.desk().now
        async with self.engine.begin() as connection:
            ledger = SqlLedger(connection)
            due = [each for each in await ledger.take_due(1, now) if each.due_at <= now]
            await ledger.postpone([replace(each, due_at=now + _PUT_OFF) for each in due])
        DUE_PUT_OFF.inc(len(due))
        events = [each.key for each in due[:5]]
        _log.exception("what waits cannot be decided and is put off by an hour", events=events)
