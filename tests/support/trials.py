"""Trials that mostly wait for processes: several run at once, each with a test of its own."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Final

from shared.failpoints import Point
from tests.support.crash_site import Site
from tests.support.fleet import open_fleet
from tests.support.ground import Ground

_AT_ONCE: Final = 4
_WITHIN_S: Final = 100.0

Run = Callable[[Site], Awaitable[str]]


@dataclass(frozen=True)
class Trial:
    """One step at which one pipeline is killed, and what must hold then."""

    pipeline: str
    point: Point
    run: Run

    def __str__(self) -> str:
        return f"{self.pipeline}-{self.point}"


def trials_of(pipeline: str, run: Run, points: Sequence[Point]) -> list[Trial]:
    return [Trial(pipeline, point, run) for point in points]


@contextmanager
def running(
    trials: Sequence[Trial], ground: Ground, programme: Path, folder: Path
) -> Iterator[dict[Trial, Future[str]]]:
    """Begin all of them, in a thread of their own; each outcome is awaited by who asks."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(trial: Trial) -> str:
        async with gate, asyncio.timeout(_WITHIN_S):
            var = folder / re.sub(r"\W+", "-", str(trial))
            var.mkdir()
            async with open_fleet(ground, var, programme) as fleet:
                return await trial.run(Site(fleet, trial.point))

    async def cancel() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread.start()
    try:
        yield {trial: asyncio.run_coroutine_threadsafe(one(trial), loop) for trial in trials}
    finally:
        asyncio.run_coroutine_threadsafe(cancel(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
