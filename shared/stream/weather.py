"""The database or Kafka is away: wait, ever longer, and stay a member of the group."""

import asyncio
import time
from typing import Final

import structlog

from shared.stream.metrics import StreamMetrics
from shared.stream.pipeline import Health, Source
from shared.stream.verdict import judge

_log = structlog.get_logger()

_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 10.0
_IDLE_S: Final = 0.5


class Weather:
    """Shown in the health while it lasts."""

    def __init__(self, source: Source, health: Health, metrics: StreamMetrics) -> None:
        self._source = source
        self._health = health
        self._metrics = metrics
        self._wait_s = _FIRST_WAIT_S

    async def wait_out(self, error: Exception, stop: asyncio.Event) -> None:
        """Take nothing for a while, doubling up to 10 s, or until `stop` is set."""
        wait_s, self._wait_s = self._wait_s, min(self._wait_s * 2, _LONGEST_WAIT_S)
        self._metrics.retries.inc()
        said = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"[:300]
        if wait_s == _FIRST_WAIT_S:
            _log.warning("stopped by weather; trying again", error=said)
        self._health.weather = said
        until = time.monotonic() + wait_s
        while (rest := until - time.monotonic()) > 0 and not stop.is_set():
            self._health.turned_at = time.monotonic()
            try:
                await self._source.idle(min(rest, _IDLE_S))
            except Exception as worse:
                if not judge(worse).passes:
                    raise
                await asyncio.sleep(min(rest, _IDLE_S))

    def passed(self) -> None:
        """A batch was settled, or nothing waits and all is placed."""
        if self._wait_s > _FIRST_WAIT_S:
            _log.info("weather has passed")
        self._health.weather = None
        self._wait_s = _FIRST_WAIT_S
