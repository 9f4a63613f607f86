"""A fault of ours ends no worker, and keeps waiting nobody but whom it is about."""

from collections.abc import Awaitable, Callable

import structlog

from services.trigger.metrics import WORKER_FAILURES
from shared.stream.verdict import Verdict, judge

_log = structlog.get_logger()


def failed(worker: str, error: Exception, *, said: bool = True, **about: object) -> None:
    """Count that a worker's round failed, which is tried again; where it is said, log it too.

    What does not pass by itself is logged with its trace.
    """
    verdict = judge(error)
    WORKER_FAILURES.labels(worker, verdict.value).inc()
    if not said:
        return
    if verdict.passes:
        _log.warning("a worker waits", worker=worker, error=type(error).__name__, **about)
    else:
        _log.error("a worker's round failed", worker=worker, exc_info=error, **about)


async def together_or_apart(
    most: int, decide: Callable[[int], Awaitable[int]], put_off: Callable[[], Awaitable[None]]
) -> int:
    """Decide at most so many; how many that was, 0 where nothing is due.

    What cannot be decided together, for a fault of ours or because it takes too long, is decided
    one by one; what cannot even so is put off, while its exception is handled. Raises weather.
    """
    try:
        return await decide(most)
    except Exception as error:
        if judge(error) is Verdict.WEATHER:
            raise
        _log.warning("what is due is decided one by one", error=type(error).__name__)
    decided = 0
    for _ in range(most):
        try:
            number = await decide(1)
        except Exception as error:
            if judge(error) is Verdict.WEATHER:
                raise
            await put_off()
            continue
        if not number:
            break
        decided += number
    return decided
