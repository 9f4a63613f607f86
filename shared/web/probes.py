"""What `/readyz` asks: each part once at a time, and answered in time whatever the part does."""

import asyncio
from typing import Final

import structlog

from shared.stream.pipeline import Check

_log = structlog.get_logger()
PROBE_S: Final = 3.0


class Probe:
    """One part. While an earlier question hangs, the part is not asked again.

    The check is not cancelled: it is bounded by itself, and a database connection that is taken
    from its owner waits for a hung server once more.
    """

    def __init__(self, check: Check) -> None:
        self._check = check
        self._asking: asyncio.Task[str | None] | None = None

    async def fault(self) -> str | None:
        """The part's fault, or None; within three seconds."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        asking = self._asking
        await asyncio.wait({asking}, timeout=PROBE_S)
        return asking.result() if asking.done() else f"no answer within {PROBE_S:g} s"

    async def _ask(self) -> str | None:
        try:
            return await self._check()
        except TimeoutError:
            return "no answer in time"
        except Exception as error:  # noqa: BLE001 - a check that breaks is a fault, not a 500
            _log.warning("readiness check failed", exc_info=error)
            return type(error).__name__
