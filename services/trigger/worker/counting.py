"""What targets need is counted, as soon as the database can be asked."""

import asyncio
from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.domain.precision import Pair
from services.trigger.store.counting import begin_counting
from services.trigger.worker.faults import failed
from services.trigger.worker.waiting import LOOK_AGAIN_S, Seldom, first_of

_SAID_EVERY_S: Final = 30.0


async def run_counting(engine: AsyncEngine, pairs: Sequence[Pair], stop: asyncio.Event) -> None:
    """See to it that these pairs are counted, then wait until `stop` is set.

    Until a new pair's past is counted, its triggers ask as if nobody had ever answered.
    """
    seldom = Seldom(_SAID_EVERY_S)
    while not stop.is_set():
        try:
            await begin_counting(engine, pairs)
            await stop.wait()
        except Exception as error:  # noqa: BLE001 - no fault of counting ends the process
            failed("counting", error, said=seldom.now())
            await first_of((stop,), (), LOOK_AGAIN_S)
