"""Guards for faults of aiokafka 0.14 that would hang or lie.

- `stop()` raises CancelledError and leaves its metadata task running when the broker is away
- idempotent sends and `commit()` never time out while the broker is away
"""

import asyncio
from typing import Any, Final

import structlog
from aiokafka.errors import KafkaError

from shared.stream.records import KafkaUnavailable

_log = structlog.get_logger()

STOP_S: Final = 3.0
START_RETRY_S: Final = 0.5


async def close_quietly(client: Any, *, what: str) -> None:
    """Stop a consumer or producer within seconds, whatever state the broker is in."""
    task = asyncio.ensure_future(client.stop())
    done, _ = await asyncio.wait({task}, timeout=STOP_S)
    if not done:
        task.cancel()
        await asyncio.wait({task}, timeout=1.0)
    failed = not task.done() or task.cancelled() or task.exception() is not None
    if failed:
        _log.warning("kafka client did not stop cleanly", client=what)
        await asyncio.wait({asyncio.ensure_future(client._client.close())}, timeout=1.0)  # noqa: SLF001


async def start_or_unavailable(client: Any, *, what: str, within_s: float) -> None:
    """Start a client once; raise KafkaUnavailable where the broker does not answer."""
    try:
        async with asyncio.timeout(within_s):
            await client.start()
    except (KafkaError, OSError, TimeoutError) as error:
        await close_quietly(client, what=what)
        raise KafkaUnavailable(f"{what}: {type(error).__name__}: {error}") from error
