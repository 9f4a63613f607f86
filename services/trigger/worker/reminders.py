"""Reminders are decided when they are due."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.handlers import Desk, Publish, on_reminders_due
from services.trigger.metrics import REMINDERS_PUT_OFF
from services.trigger.store.ledger import SqlLedger
from services.trigger.store.reminders import SentLetters, put_off
from services.trigger.worker.faults import failed, together_or_apart
from services.trigger.worker.waiting import first_of

_log = structlog.get_logger()
_MOST: Final = 200
_LOOK_EVERY_S: Final = 5.0
_PUT_OFF: Final = timedelta(hours=1)


@dataclass
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
    _taken: Sequence[str] = field(default=(), init=False)

    async def run(self, stop: asyncio.Event) -> None:
        """Decide until `stop` is set."""
        while not stop.is_set():
            try:
                number = await self.once() if await self.heard(stop) else 0
            except Exception as error:  # noqa: BLE001 - no fault of a round ends the process
                failed("reminders", error)
                number = 0
            if number < _MOST:
                await first_of((stop,), (), _LOOK_EVERY_S)

    async def once(self) -> int:
        """Decide what is due now, at most 200; after how many letters that was.

        What cannot be decided for a fault of ours waits an hour, as long as the question stands.
        """
        return await together_or_apart(_MOST, self._decide, self._put_off)

    async def _decide(self, most: int) -> int:
        async with self.engine.begin() as connection:
            sent, ledger = SentLetters(connection), SqlLedger(connection)
            try:
                number = await on_reminders_due(most, sent, ledger, self.publish, self.desk())
            finally:
                self._taken = sent.taken
        if number:
            self.decided()
        return number

    async def _put_off(self) -> None:
        if not self._taken:
            raise  # noqa: PLE0704 - no letter is at fault
        async with self.engine.begin() as connection:
            await put_off(connection, self._taken, self.desk().now + _PUT_OFF)
        REMINDERS_PUT_OFF.inc(len(self._taken))
        _log.exception("a reminder cannot be decided and is put off by an hour", after=self._taken)
