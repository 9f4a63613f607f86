"""The layout's keeper: brings the programme's dimensions in force, once, whatever the weather."""

import asyncio
from contextlib import suppress

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring.domain.cells import Layout
from services.scoring.metrics import RECOUNTS
from services.scoring.store import adopt
from shared.stream.verdict import judge

_log = structlog.get_logger()
_WAIT_S = 2.0


async def keep_layout(
    engine: AsyncEngine, layout: Layout, values_at_most: int, stop: asyncio.Event
) -> None:
    """Adopt the layout, trying again while the database is away; then wait for the end."""
    while not stop.is_set():
        try:
            if await adopt(engine, layout, values_at_most=values_at_most):
                RECOUNTS.inc()
                _log.info("dimensions changed; counted anew", dimensions=list(layout.paths))
            break
        except Exception as error:
            if not judge(error).passes:
                raise
            _log.warning("layout waits for the database", error=str(error)[:300])
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _WAIT_S)
    await stop.wait()
