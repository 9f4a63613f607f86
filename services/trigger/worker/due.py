"""What waited for its delay, or for its subject to settle, is decided when it is due."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.handlers import Desk, Publish, on_due
from services.trigger.store.ledger import SqlLedger
from services.trigger.worker.waiting import LOOK_AGAIN_S, WEATHER, first_of
from shared.failpoints import Point, hit

_log = structlog.get_logger()
_MOST: Final = 500


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
                number = 0
            if number < _MOST:
                await first_of((stop,), (), LOOK_AGAIN_S)

    async def once(self) -> int:
        """Decide what is due now, of at most 500 customers; how many events that were."""
        async with self.engine.begin() as connection:
            number = await on_due(_MOST, SqlLedger(connection), self.publish, self.desk())
        if number:
            hit(Point.DUE_COMMITTED)
            self.decided()
        return number
