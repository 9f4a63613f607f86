"""Run services: web servers and workers live and die together.

A consumer started inside FastAPI's lifespan that dies leaves `/healthz` answering 200, so servers
and workers are siblings in one TaskGroup. uvicorn raises the signal again when it stops, so it gets
no handlers: one handler of ours stops everything, workers drain, and the process exits 0. Who is
asked to end is gone within 10 s: what has not drained by then is cut off, for it is safe anywhere.
"""

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final

import structlog
import uvloop

from shared.garbage import look_seldom
from shared.metrics import observe_process
from shared.programme.faults import ProgrammeError
from shared.serving import build_server
from shared.settings import SettingsFault
from shared.stream.pipeline import Worker
from shared.stream.records import KafkaUnavailable

_log = structlog.get_logger()
_DRAIN_S: Final = 5.0
_END_S: Final = 9.0
_SAYING_S: Final = 0.2


class CannotStart(Exception):
    """The process cannot start; the text says what to do."""


@dataclass(frozen=True)
class Service:
    """A web application on a port, and the workers beside it."""

    name: str
    web: Any
    host: str
    port: int
    workers: Sequence[Worker] = ()


def listen(host: str, port: int, name: str) -> socket.socket:
    """Bind the service's port. Raises CannotStart, which names the port, when it is taken."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise CannotStart(
            f"{name}: port {port} on {host} cannot be used ({error.strerror}). "
            f"Is Earshot running already? EARSHOT_{name.upper()}_PORT names another."
        ) from None
    return listener


async def run(
    services: Sequence[Service],
    *,
    on_ready: Callable[[], Coroutine[Any, Any, None]] | None = None,
    drain: Callable[[], Coroutine[Any, Any, None]] | None = None,
    stop: asyncio.Event | None = None,
    alone: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT, then stop. Raises what ended a worker, if one died.

    The servers stop first; `drain` then has a few seconds, while the workers still work. Where the
    process is for these services `alone`, it ends soon after even if something cannot be closed.
    """
    stop, halt = stop or asyncio.Event(), asyncio.Event()
    async with AsyncExitStack() as stack:
        listeners = [
            stack.enter_context(listen(service.host, service.port, service.name))
            for service in services
        ]
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        servers = [build_server(service.web) for service in services]
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(server.serve(sockets=[listener]))
                for server, listener in zip(servers, listeners, strict=True)
            ]
            tasks += [
                group.create_task(_until_stopped(worker, halt, service.name))
                for service in services
                for worker in service.workers
            ]
            observe_process(len(services))
            # What stands now stands to the end: walking through it in each full collection
            # costs a request 40 ms every few seconds.
            look_seldom()
            saying = None if on_ready is None else group.create_task(on_ready())
            await stop.wait()
            if saying is not None:
                saying.cancel()
            _log.info("stopping: the batches under way are finished first")
            if alone:
                _end_by(_END_S)
            for server in servers:
                server.should_exit = True
            if drain is not None:
                await _bounded(drain())
            halt.set()
            loop.call_later(_DRAIN_S, _cut_off, tasks)


async def _bounded(draining: Coroutine[Any, Any, None]) -> None:
    try:
        async with asyncio.timeout(_DRAIN_S / 2):
            await draining
    except (TimeoutError, KafkaUnavailable) as error:
        _log.warning("not drained in time", error=type(error).__name__)


def _end_by(seconds: float) -> None:
    """End the process then, whatever it waits for: a loop, a thread, a server that hangs."""
    # apart, for a log that nobody reads any more may hang as well
    for after_s, act in ((seconds, _say_late), (seconds + _SAYING_S, _end)):
        timer = threading.Timer(after_s, act)
        timer.daemon = True
        timer.start()


def _say_late() -> None:
    _log.warning("not closed in time; ended as it is")


def _end() -> None:
    os._exit(0)


def _cut_off(tasks: Sequence[asyncio.Task[None]]) -> None:
    late = [task for task in tasks if not task.done()]
    if late:
        _log.warning("not drained in time; cut off", tasks=len(late))
    for task in late:
        task.cancel()


async def _until_stopped(worker: Worker, stop: asyncio.Event, service: str) -> None:
    await worker(stop)
    if not stop.is_set():
        name = getattr(worker, "__name__", repr(worker))
        raise RuntimeError(f"{service}: the worker {name} ended by itself")


def main(start: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a process to its end: exit 0 when stopped, 2 when it cannot start, 1 when it broke."""
    code = 0
    try:
        uvloop.run(start())
    except* (CannotStart, SettingsFault, ProgrammeError) as group:
        sys.stderr.writelines(f"{error}\n" for error in _flat(group))
        code = 2
    except* Exception as group:  # noqa: BLE001 - the last line of the process: log and exit 1
        _log.critical("stopped by a fault", exc_info=group)
        code = 1
    sys.exit(code)


def _flat(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _flat(error)
        else:
            yield error
