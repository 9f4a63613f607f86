"""How far event time has come, seen from Kafka's end of each partition and what was counted."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain.watermark import Sight, forget, watermark
from services.alerts.store.position import Counted, read_counted

Ends = Callable[[], Awaitable[Mapping[int, int]]]


@dataclass(frozen=True)
class Where:
    """Whose offsets say how far was counted."""

    group: str
    log: str
    topic: str


class Lookout:
    """Looks once a turn and remembers what it saw a moment ago."""

    def __init__(self, ends: Ends, where: Where, *, settle_s: float) -> None:
        self._ends = ends
        self._where = where
        self._settle_s = settle_s
        self._sights: list[Sight] = []

    async def look(self, connection: AsyncConnection) -> tuple[datetime | None, Counted]:
        """The time before which no answer is on its way, if that is known, and what was counted."""
        ends = await self._ends()
        where = self._where
        async with connection.begin():
            counted = await read_counted(
                connection, group=where.group, log=where.log, topic=where.topic
            )
        sight = Sight(time.monotonic(), ends, counted.nexts, counted.newest, counted.last)
        self._sights = forget([*self._sights, sight], self._settle_s)
        return watermark(self._sights, self._settle_s), counted

    def forget(self) -> None:
        """Begin anew."""
        self._sights.clear()
