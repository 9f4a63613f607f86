"""Guards for faults of aiokafka 0.14 that would hang or lie.

- `stop()` raises CancelledError and leaves its metadata task running when the broker is away
- idempotent sends and `commit()` never time out while the broker is away
- a connection that was reset raises what nobody expects when uvloop is asked to write to it, which
  ends whoever wrote: a consumer's fetches, a producer's sends
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

import structlog
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError, KafkaError

from shared.stream.kafka.reach import told
from shared.stream.records import KafkaUnavailable

_log = structlog.get_logger()

STOP_S: Final = 1.0
_ABANDON_S: Final = 0.5
START_RETRY_S: Final = 0.5

_write: Final = AIOKafkaConnection.send


def _write_or_broken(connection: Any, request: Any, expect_response: bool = True) -> Any:  # noqa: FBT001, FBT002 - as aiokafka calls it
    """As it was; raises KafkaConnectionError, which is tried again, where uvloop has closed it."""
    try:
        return _write(connection, request, expect_response)
    except KafkaError:
        raise
    except RuntimeError as error:
        connection.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"connection at {connection.host} is closed") from error


AIOKafkaConnection.send = _write_or_broken


def fetches_no_more(consumer: Any) -> bool:
    """Whether that which fetches has died of a fault: `getmany` would wait for ever."""
    return bool(consumer._fetcher.error_future.done())  # noqa: SLF001 - there is no public way


async def close_quietly(client: Any, *, what: str) -> None:
    """Stop a consumer or producer within seconds, whatever state the broker is in."""
    if await _ended(client.stop(), STOP_S):
        return
    _log.warning("kafka client did not stop cleanly", client=what)
    await _ended(_inner(client).close(), _ABANDON_S)
    sender = getattr(client, "_sender", None)  # a producer's; what it waits for does not come now
    if sender is not None:
        await _ended(sender.close(), _ABANDON_S)


def _inner(client: Any) -> Any:
    """A consumer's, a producer's."""
    return getattr(client, "_client", None) or client.client


async def _ended(work: Coroutine[Any, Any, None], within_s: float) -> bool:
    """Whether it came to its end in time and without a fault; it is not left running."""
    task = asyncio.ensure_future(work)
    await asyncio.wait({task}, timeout=within_s)
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_ABANDON_S)
    return task.done() and not task.cancelled() and task.exception() is None


async def start_or_unavailable(client: Any, *, what: str, within_s: float) -> None:
    """Start a client once; raise KafkaUnavailable where the broker does not answer."""
    try:
        async with asyncio.timeout(within_s):
            await client.start()
    except (KafkaError, OSError, TimeoutError) as error:
        await close_quietly(client, what=what)
        raise KafkaUnavailable(told(what, error, _inner(client))) from error
    except (KafkaUnavailable, asyncio.CancelledError):
        await close_quietly(client, what=what)
        raise
