"""What is too old goes, every hour."""

import asyncio

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.metrics import DELETED
from services.trigger.store.retention import Keeping, delete_old
from services.trigger.worker.waiting import WEATHER, Clock, first_of

_log = structlog.get_logger()


async def run_retention(
    engine: AsyncEngine, keeping: Keeping, clock: Clock, stop: asyncio.Event
) -> None:
    """Delete what is too old, every hour, until `stop` is set."""
    while not stop.is_set():
        try:
            for table, number in (await delete_old(engine, keeping, clock())).items():
                DELETED.labels(table).inc(number)
        except WEATHER as error:
            _log.warning("retention waits for the database", error=type(error).__name__)
        await first_of((stop,), (), 3600.0)
