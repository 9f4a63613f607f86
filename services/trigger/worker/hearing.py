"""What reminders wait for: that all answers were heard which Kafka had."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from services.trigger.metrics import REMINDERS_HELD
from services.trigger.worker.waiting import Seldom, first_of
from shared.stream.records import Partition

_log = structlog.get_logger()
_LATELY_S: Final = 30.0
_LOOK_AGAIN_S: Final = 0.2
_LONG_S: Final = 60.0


@dataclass
class Hearing:
    """Whether the consumers, of all replicas together, have heard what customers answered.

    `ends` says where each partition of the answers ends, `stands` where its consumer stands.
    """

    ends: Callable[[], Awaitable[Mapping[Partition, int]]]
    stands: Callable[[Iterable[Partition]], Awaitable[Mapping[Partition, int]]]
    _heard_at: float = field(default=-math.inf, init=False)
    _since: float = field(default_factory=time.monotonic, init=False)
    _seldom: Seldom = field(default_factory=lambda: Seldom(_LONG_S), init=False)

    def lately(self) -> bool:
        """Whether all was heard that Kafka had at some moment of the last 30 s."""
        return time.monotonic() - self._heard_at < _LATELY_S

    async def until_heard(self, stop: asyncio.Event) -> bool:
        """Return once all is heard that Kafka has at the call; False where `stop` is set first.

        Raises KafkaUnavailable.
        """
        self._tell()
        began, left = time.monotonic(), dict(await self.ends())
        while left := await self._beyond(left):
            self._tell()
            await first_of((stop,), (), _LOOK_AGAIN_S)
            if stop.is_set():
                return False
        self._heard_at = self._since = began
        self._tell()
        return True

    def _tell(self) -> None:
        """For how long reminders are held back: as a number, and once a minute in words."""
        held = time.monotonic() - self._since
        REMINDERS_HELD.set(held)
        if held > _LONG_S and self._seldom.now():
            _log.warning("reminders wait until the answers are heard", seconds=round(held))

    async def _beyond(self, ends: Mapping[Partition, int]) -> dict[Partition, int]:
        stands = await self.stands(ends)
        return {home: end for home, end in ends.items() if stands.get(home, 0) < end}
