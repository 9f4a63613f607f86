"""The web server of a service: it stops without failing a request.

uvicorn ends idle connections and its listener at once, and a request that was sent the moment
before meets a reset. Here whoever is connected is first taken in, each reply says that it is the
last of its connection, and the silent have a second to speak.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.connections import Connection, end_late, is_silent, request_of

REQUESTS_S: Final = 3  # for requests under way, after the silent have had their time
SILENT_S: Final = 1.0
_LOOK_EVERY_S: Final = 0.02
# Longer than the 60 s of common load balancers: who closes first must be the one that sends.
_IDLE_S: Final = 75
_LAST: Final = (b"connection", b"close")


class Server(uvicorn.Server):
    """uvicorn, without signal handlers of its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: once a second look who does not go on."""
        if counter % 10 == 0:
            end_late(self.server_state.connections, time.monotonic())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """A request that was sent on an open connection is answered, if it does not take long."""
        state = self.server_state
        state.default_headers = [*state.default_headers, _LAST]
        for connection in _http(state.connections):
            request = request_of(connection)
            if request is not None and not request.response_started:
                request.keep_alive = False
        await self._take_in(sockets or [])
        deadline = asyncio.get_running_loop().time() + SILENT_S
        while any(map(is_silent, _http(state.connections))):
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(_LOOK_EVERY_S)
        await super().shutdown(sockets)

    async def _take_in(self, listeners: Sequence[socket.socket]) -> None:
        """Close the listeners; who was connected and not yet accepted is accepted."""
        loop = asyncio.get_running_loop()
        for server, listener in zip(self.servers, listeners, strict=True):
            with listener.dup() as spare:
                server.close()
                waiting = list(_accepted(spare))
            for plug in waiting:
                await loop.connect_accepted_socket(self._protocol, plug)

    def _protocol(self) -> Connection:
        return Connection(self.config, self.server_state, self.lifespan.state)


def build_server(application: Any) -> Server:
    """A server of that application, to be served on a socket that is bound already."""
    return Server(
        uvicorn.Config(
            application,
            loop="uvloop",
            http=Connection,
            proxy_headers=False,  # whose word counts is said by EARSHOT_TRUSTED_PROXIES
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=_IDLE_S,
            timeout_graceful_shutdown=REQUESTS_S,
            backlog=2048,
        )
    )


def _http(connections: set[Any]) -> list[HttpToolsProtocol]:
    return [each for each in connections if isinstance(each, HttpToolsProtocol)]


def _accepted(listener: socket.socket) -> Iterator[socket.socket]:
    listener.setblocking(False)
    while True:
        try:
            plug, _ = listener.accept()
        except ConnectionError:
            continue  # it went away while it waited
        except OSError:
            return  # nobody waits, or no file is left to be opened
        plug.setblocking(False)
        yield plug
