"""The four services on sockets of their own, in a thread, for clients that block."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import uvloop

from shared.process import listen
from shared.serving import build_server
from tests.support.four import four_services


@contextmanager
def listening(url: str, var: Path, **settings: Any) -> Iterator[dict[str, str]]:
    """The base address of each service by name."""
    ready: Queue[dict[str, str] | BaseException] = Queue()
    stop = threading.Event()

    def work() -> None:
        try:
            uvloop.run(_serve(ready, stop, four_services(url, var, **settings)))
        except BaseException as fault:
            ready.put(fault)
            raise

    thread = threading.Thread(target=work)
    thread.start()
    try:
        found = ready.get(timeout=60)
        if isinstance(found, BaseException):
            raise found
        yield found
    finally:
        stop.set()
        thread.join(30)


async def _serve(ready: Queue[Any], stop: threading.Event, opening: Any) -> None:
    async with AsyncExitStack() as stack:
        servers, found, running = [], {}, []
        for name, served in (await stack.enter_async_context(opening)).items():
            listener = stack.enter_context(listen("127.0.0.1", 0, name))
            servers.append(build_server(served.web))
            running.append(asyncio.ensure_future(servers[-1].serve(sockets=[listener])))
            found[name] = f"http://127.0.0.1:{listener.getsockname()[1]}"
        while not all(server.started for server in servers):
            await asyncio.sleep(0.01)
        ready.put(found)
        await asyncio.to_thread(stop.wait)
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*running)
