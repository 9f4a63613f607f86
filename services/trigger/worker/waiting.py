"""Waiting for whatever comes first."""

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from shared.db import AWAY
from shared.stream.records import KafkaUnavailable

WEATHER: Final = (*AWAY, KafkaUnavailable)
LOOK_AGAIN_S: Final = 0.5

Clock = Callable[[], datetime]


@dataclass
class Seldom:
    """Says yes at most once in so many seconds: what would be logged too often is not."""

    every_s: float
    _said_at: float = field(default=-math.inf, init=False)

    def now(self) -> bool:
        moment = time.monotonic()
        if moment - self._said_at < self.every_s:
            return False
        self._said_at = moment
        return True


async def first_of(
    events: Sequence[asyncio.Event], tasks: Iterable[asyncio.Task[Any]], wait_s: float
) -> None:
    """Return when an event is set, a task has ended or the time is over."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait([*waiting, *tasks], timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiter in waiting:
            waiter.cancel()
