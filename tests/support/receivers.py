"""HTTP receivers for tests: they keep what they get and answer as they are told."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

Headers = dict[str, str]
HANG: Final = -1  # no answer, for as long as the other side waits for one
RESET: Final = -2  # the connection is reset in place of an answer
_RESETS: Final = struct.pack("ii", 1, 0)  # SO_LINGER: close sends RST


@dataclass
class Receiver:
    """A server on a free port of loopback. `statuses`: what it answers next; then as in its `mood`.

    Of each request of `got`, `began` is when it began to arrive and `answers` what was answered:
    a status, HANG or RESET, after a `pause` of so many seconds. A redirect leads back here, to
    `/elsewhere`.
    """

    port: int = 0
    statuses: list[int] = field(default_factory=list)
    mood: Callable[[], int] = lambda: 200
    pause: Callable[[], float] = lambda: 0.0
    got: list[tuple[str, Headers, bytes]] = field(default_factory=list)
    began: list[float] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, _, body in self.got]

    def taken(self) -> list[tuple[str, Headers, bytes]]:
        """The requests that were answered with success."""
        answered = zip(self.got, self.answers, strict=True)
        return [request for request, status in answered if 200 <= status < 300]

    async def until(self, number: int) -> None:
        """Wait until so many requests came."""
        async with asyncio.timeout(10):
            while len(self.got) < number:
                await asyncio.sleep(0.01)

    def hang_up(self) -> None:
        """End every connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while line := await reader.readline():
                began = asyncio.get_running_loop().time()
                path = line.split()[1].decode()
                headers: Headers = {}
                while (header := (await reader.readline()).strip()) != b"":
                    name, _, value = header.decode().partition(":")
                    headers[name.lower()] = value.strip()
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                status = self.statuses.pop(0) if self.statuses else self.mood()
                self.got.append((path, headers, body))
                self.began.append(began)
                self.answers.append(status)
                if not await self._answer(status, reader, writer):
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(
        self, status: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer; False where the connection has come to its end."""
        if wait_s := self.pause():
            await asyncio.sleep(wait_s)
        if status == HANG:
            await reader.read()
            return False
        if status == RESET:
            plug = writer.get_extra_info("socket")
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESETS)
            writer.transport.abort()
            return False
        where = f"location: {self.url}/elsewhere\r\n" if 300 <= status < 400 else ""
        writer.write(f"HTTP/1.1 {status} X\r\n{where}content-length: 0\r\n\r\n".encode())
        await writer.drain()
        return True


@asynccontextmanager
async def open_receiver(*statuses: int) -> AsyncIterator[Receiver]:
    receiver = Receiver(statuses=list(statuses))
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        receiver.hang_up()
        await asyncio.sleep(0)
