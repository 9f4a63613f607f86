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
from services.trigger.worker.faults import failed, together_or_apart
from services.trigger.worker.waiting import LOOK_AGAIN_S, first_of
from shared.failpoints import Point, hit

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
            except Exception as error:  # noqa: BLE001 - no fault of a round ends the process
                failed("due", error)
                await first_of((stop,), (), LOOK_AGAIN_S)
                DUE_BEHIND.inc(LOOK_AGAIN_S)  # at least; it grows until somebody has looked
                continue
            if number < _MOST:
                await first_of((stop,), (), _LOOK_S)

    async def once(self) -> int:
        """Decide what is due now, at most 500 events and what goes with them; how many.

        A customer whose questions cannot be decided for a fault of ours waits an hour, and keeps
        nobody else waiting.
        """
        return await together_or_apart(_MOST, self.decide, self._put_off)

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

    async def _put_off(self) -> None:
        now = self.desk().now
        async with self.engine.begin() as connection:
            ledger = SqlLedger(connection)
            due = [each for each in await ledger.take_due(1, now) if each.due_at <= now]
            await ledger.postpone([replace(each, due_at=now + _PUT_OFF) for each in due])
        DUE_PUT_OFF.inc(len(due))
        events = [each.key for each in due[:5]]
        _log.exception("what waits cannot be decided and is put off by an hour", events=events)
