"""Old rows go, a batch at a time."""

import asyncio
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.metrics import DELETED
from services.alerts.store.retention import delete_old
from services.alerts.worker.turns import Clock, take_turns
from shared.stream.pipeline import Health


class Retention:
    """Deletes what is older than `keep`, once an hour."""

    def __init__(self, engine: AsyncEngine, keep: timedelta, clock: Clock) -> None:
        self._engine = engine
        self._keep = keep
        self._clock = clock

    async def run(self, stop: asyncio.Event) -> None:
        """Delete until stopped."""
        await take_turns("retention", self.turn, stop, health=Health(), every_s=3600)

    async def turn(self) -> bool:
        """Delete one batch of each table; say whether there was anything."""
        gone = await delete_old(self._engine, self._keep, self._clock())
        for table, rows in gone.items():
            DELETED.labels(table).inc(rows)
        return any(gone.values())
