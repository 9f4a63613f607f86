"""How far event time has come, seen from Kafka's end of each partition and what was counted."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain.answers import Line
from services.alerts.domain.watermark import Sight, Watermark, forget, watermark
from services.alerts.store.lines import read_counted

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

    async def look(self, connection: AsyncConnection) -> None:
        """See how far Kafka goes and how far it was counted. Raises KafkaUnavailable."""
        ends = await self._ends()
        where = self._where
        async with connection.begin():
            counted = await read_counted(
                connection, group=where.group, log=where.log, topic=where.topic
            )
        sight = Sight(time.monotonic(), ends, counted.nexts, counted.lately)
        self._sights = forget([*self._sights, sight], self._settle_s)

    def watermark(self, line: Line) -> Watermark:
        """How far a line's time had come at the last look."""
        return watermark(self._sights, self._settle_s, line)

    def forget(self) -> None:
        """Begin anew."""
        self._sights.clear()
