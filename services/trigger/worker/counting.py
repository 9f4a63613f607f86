"""What targets need is counted, as soon as the database can be asked."""

import asyncio
from collections.abc import Sequence

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.domain.precision import Pair
from services.trigger.store.counting import begin_counting
from services.trigger.worker.waiting import LOOK_AGAIN_S, WEATHER, first_of

_log = structlog.get_logger()


async def run_counting(engine: AsyncEngine, pairs: Sequence[Pair], stop: asyncio.Event) -> None:
    """See to it that these pairs are counted, then wait until `stop` is set.

    Until a new pair's past is counted, its triggers ask as if nobody had ever answered.
    """
    while not stop.is_set():
        try:
            await begin_counting(engine, pairs)
            await stop.wait()
        except WEATHER as error:
            _log.warning("counting waits for the database", error=type(error).__name__)
            await first_of((stop,), (), LOOK_AGAIN_S)
