"""What is true of the whole process, on the page of each service that it runs."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from prometheus_client import ProcessCollector
from prometheus_client.registry import Collector

from shared.metrics.kinds import Gauge, Histogram

_EVERY_S: Final = 0.25

_SERVICES = Gauge(
    "earshot_process_services",
    "Services that run in this process: 1, or 4 where one process runs all. Then process_* and"
    " earshot_event_loop_* on each of their pages are about the same process; divide by this before"
    " summing over services.",
    registry=None,
)
_LAG = Histogram(
    "earshot_event_loop_lag_seconds",
    "How late a timer that is looked at four times a second came. Below 0.05 is normal; more means"
    " that something keeps the loop, or the machine, and every request waits as long.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
    registry=None,
)
PROCESS: Final[Sequence[Collector]] = (ProcessCollector(registry=None), _SERVICES, _LAG)


def observe_process(services: int) -> None:
    """Show how many services run here and, as long as the running loop runs, how late it is."""
    _SERVICES.set(services)
    loop = asyncio.get_running_loop()

    def look(due: float) -> None:
        now = time.monotonic()
        _LAG.observe(max(0.0, now - due))
        loop.call_later(_EVERY_S, look, now + _EVERY_S)

    loop.call_later(_EVERY_S, look, time.monotonic() + _EVERY_S)
