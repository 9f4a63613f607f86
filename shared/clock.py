"""Clocks, for those who wire: everybody else takes `now` as an argument."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import AWAY

_log = structlog.get_logger()
_NOW: Final = sa.text("SELECT clock_timestamp()")
_LOOK_EVERY_S: Final = 10.0
_LOOK_AGAIN_S: Final = 0.5
_SLOWEST_LOOK_S: Final = 1.0  # the reply of a slower look says little
_WORTH_TELLING: Final = timedelta(seconds=5)


def utc_now() -> datetime:
    return datetime.now(UTC)


class AckClock:
    """Kafka's time, as its acknowledgements tell it, for who has no database to ask.

    An hour ahead it would refuse links that are still good, an hour behind answers that were just
    given. Until the first acknowledgement, and where Kafka keeps its writers' times, it is the
    machine's own clock.
    """

    def __init__(self, own: Callable[[], datetime] = utc_now) -> None:
        self._own = own
        self._off = timedelta()

    def __call__(self) -> datetime:
        return self._own() - self._off

    @property
    def fault(self) -> str | None:
        """How wrong the machine's clock is, if it is."""
        return (
            f"{self._off.total_seconds():+.0f} s off Kafka's, which is used" if self._off else None
        )

    def stamped(self, at_ms: int) -> None:
        """A record was just written then, by Kafka's clock."""
        off = self._own() - datetime.fromtimestamp(at_ms / 1000, UTC)
        if abs(off) < _WORTH_TELLING:
            off = timedelta()
        if abs(off - self._off) > _WORTH_TELLING:
            _log.warning("this machine's clock is not Kafka's", ahead_s=round(off.total_seconds()))
        self._off = off


class CommonClock:
    """The database's time, the same in every replica, whatever their own clocks say.

    What one replica claims, schedules or leases another judges by its clock: with two clocks an
    hour apart, letters leave an hour early and what a dead replica held stays an hour too long.
    Between two looks this goes on by the monotonic clock, which no step of the wall clock moves.
    Until the first look has succeeded it is the machine's own clock.
    """

    def __init__(self, engine: AsyncEngine, own: Callable[[], datetime] = utc_now) -> None:
        self._engine = engine
        self._own = own
        self._seen: tuple[datetime, float] | None = None
        self._off = timedelta()

    def __call__(self) -> datetime:
        if self._seen is None:
            return self._own()
        at, seen_s = self._seen
        return at + timedelta(seconds=time.monotonic() - seen_s)

    async def look(self) -> bool:
        """Ask the database for the time; say whether it answered soon enough to be believed."""
        try:
            async with self._engine.connect() as connection:
                asked = time.monotonic()
                at: datetime = (await connection.execute(_NOW)).scalar_one()
        except AWAY:
            return False
        ended = time.monotonic()
        if ended - asked > _SLOWEST_LOOK_S and self._seen is not None:
            return False
        self._seen = at, (asked + ended) / 2
        self._tell(self._own() - self())
        return True

    async def run(self, stop: asyncio.Event) -> None:
        """Look again and again until `stop` is set."""
        while not stop.is_set():
            wait_s = _LOOK_EVERY_S if await self.look() else _LOOK_AGAIN_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await stop.wait()

    def _tell(self, off: timedelta) -> None:
        if abs(off - self._off) > _WORTH_TELLING:
            self._off = off
            _log.warning(
                "this machine's clock is not the database's, whose time is used",
                ahead_s=round(off.total_seconds(), 1),
            )
