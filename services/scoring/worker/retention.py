"""Decisions that have been kept long enough go, every hour; what was counted of them stays."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring.metrics import DELETED
from services.scoring.store.decisions import delete_decisions
from shared.stream.verdict import judge

_log = structlog.get_logger()
_EVERY_S = 3600.0


async def keep_decisions(
    engine: AsyncEngine, kept: timedelta, now: Callable[[], datetime], stop: asyncio.Event
) -> None:
    """Delete old decisions batch by batch until `stop` is set; no fault ends the process."""
    while not stop.is_set():
        try:
            while (gone := await delete_decisions(engine, now() - kept)) and not stop.is_set():
                DELETED.labels("decisions").inc(gone)
        except Exception as error:  # noqa: BLE001 - as it says above
            if judge(error).passes:
                _log.warning("retention waits for the database", error=type(error).__name__)
            else:
                _log.exception("retention failed")
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _EVERY_S)
