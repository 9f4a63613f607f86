"""Turns: the same work again and again until stopped, through any weather."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

import structlog

from shared.stream.pipeline import Health
from shared.stream.verdict import judge

_log = structlog.get_logger()
_FIRST_WAIT_S: Final = 0.2
_LONGEST_WAIT_S: Final = 10.0

Clock = Callable[[], datetime]


async def rest(stop: asyncio.Event, wait_s: float, *, wake: asyncio.Event | None = None) -> None:
    """Wait, or return at once when stopped or woken."""
    events = [stop] if wake is None else [stop, wake]
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiter in waiting:
            waiter.cancel()


async def take_turns(
    name: str,
    turn: Callable[[], Awaitable[bool]],
    stop: asyncio.Event,
    *,
    health: Health,
    every_s: float,
    wake: asyncio.Event | None = None,
) -> None:
    """Take turns until stopped; at once while a turn says that there is more to do.

    `wake`, once set, ends the rest between two turns.

    What a turn raises ends that turn alone: its transaction is rolled back, and the next begins
    from what is stored. Weather is waited out; a bug is waited out too, in the log and on
    `/readyz`, because nobody is served better by a process that restarts for ever.
    """
    wait_s = _FIRST_WAIT_S
    while not stop.is_set():
        health.turned_at = time.monotonic()
        if wake is not None:
            wake.clear()  # whatever it is about is there for this turn
        try:
            more = await turn()
        except Exception as error:  # noqa: BLE001 - the one place that outlives every fault
            _tell(name, error, health)
            await rest(stop, wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
            continue
        if health.weather is not None:
            _log.info("weather has passed", worker=name)
        health.weather, wait_s = None, _FIRST_WAIT_S
        if not more:
            await rest(stop, every_s, wake=wake)


def _tell(name: str, error: Exception, health: Health) -> None:
    said = f"{type(error).__name__}: {error}"[:300]
    if not judge(error).passes:
        _log.error("turn failed", worker=name, exc_info=error)
    elif health.weather is None:
        _log.warning("stopped by weather; trying again", worker=name, error=said)
    health.weather = said
