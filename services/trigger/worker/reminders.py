"""Reminders are decided when they are due."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.handlers import Desk, Publish
from services.trigger.handlers.reminding import on_reminders_due
from services.trigger.store.ledger import SqlLedger
from services.trigger.store.reminders import SentLetters
from services.trigger.worker.waiting import WEATHER, first_of

_log = structlog.get_logger()
_MOST: Final = 200
_LOOK_EVERY_S: Final = 5.0


@dataclass(frozen=True)
class Reminding:
    """The worker that decides reminders; any number may run.

    `desk` gives what to decide with now. `decided` is called after each commit. `heard` returns
    once all answers are known that were given before, as after a time in which nobody listened.
    """

    engine: AsyncEngine
    publish: Publish
    desk: Callable[[], Desk]
    decided: Callable[[], None]
    heard: Callable[[asyncio.Event], Awaitable[bool]]

    async def run(self, stop: asyncio.Event) -> None:
        """Decide until `stop` is set."""
        while not stop.is_set():
            try:
                number = await self.once() if await self.heard(stop) else 0
            except WEATHER as error:
                _log.warning("reminders wait", error=type(error).__name__)
                number = 0
            if number < _MOST:
                await first_of((stop,), (), _LOOK_EVERY_S)

    async def once(self) -> int:
        """Decide what is due now, at most 200; after how many letters that was."""
        async with self.engine.begin() as connection:
            sent, ledger = SentLetters(connection), SqlLedger(connection)
            number = await on_reminders_due(_MOST, sent, ledger, self.publish, self.desk())
        if number:
            self.decided()
        return number
