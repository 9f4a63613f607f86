"""Waiting for whatever comes first."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from shared.db import AWAY
from shared.stream.records import KafkaUnavailable

WEATHER: Final = (*AWAY, KafkaUnavailable)
LOOK_AGAIN_S: Final = 0.5

Clock = Callable[[], datetime]


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
