"""Run services: web servers and workers live and die together.

A consumer started inside FastAPI's lifespan that dies leaves `/healthz` answering 200, so servers
and workers are siblings in one TaskGroup. uvicorn raises the signal again when it stops, so it gets
no handlers: one handler of ours stops everything, workers drain, and the process exits 0.
"""

import asyncio
import contextlib
import gc
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final

import structlog
import uvicorn
import uvloop

from shared.programme.faults import ProgrammeError
from shared.settings import SettingsFault
from shared.stream.pipeline import Worker
from shared.stream.records import KafkaUnavailable

_log = structlog.get_logger()
_DRAIN_S: Final = 8.0


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


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


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


def _server(service: Service) -> _Server:
    return _Server(
        uvicorn.Config(
            service.web,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=int(_DRAIN_S),
            backlog=2048,
        )
    )


async def run(
    services: Sequence[Service],
    *,
    on_ready: Callable[[], Coroutine[Any, Any, None]] | None = None,
    drain: Callable[[], Coroutine[Any, Any, None]] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then stop. Raises what ended a worker, if one died.

    The servers stop first; `drain` then has a few seconds, while the workers still work.
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
        servers = [_server(service) for service in services]
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
            # What stands now stands to the end: walking through it in each full collection
            # costs a request 40 ms every few seconds.
            gc.collect()
            gc.freeze()
            saying = None if on_ready is None else group.create_task(on_ready())
            await stop.wait()
            if saying is not None:
                saying.cancel()
            _log.info("stopping: the batches under way are finished first")
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
