"""HTTP as cheap as a load of thousands a second on the same two cores has to be."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

CONNECTIONS: Final = 64

Told = Callable[[bytes], None]


class Door(asyncio.Protocol):
    """One connection that is kept alive, one request at a time."""

    def __init__(self, doors: "Doors") -> None:
        self._doors = doors
        self._transport: Any = None
        self._got = bytearray()
        self._told: Told | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def ask(self, request: bytes, told: Told) -> None:
        self._told = told
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, found, body = bytes(self._got).partition(b"\r\n\r\n")
        if found and len(body) >= _length_of(head):
            self._got.clear()
            self._answer(head + found + body)
            self._doors.freed(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._doors.lost(self)
        self._answer(b"")

    def close(self) -> None:
        self._transport.close()

    def _answer(self, reply: bytes) -> None:
        told, self._told = self._told, None
        if told is not None:
            told(reply)


def _length_of(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0] or 0)


@dataclass
class Doors:
    """Connections to one server, opened as they are needed; who finds none free waits in line."""

    port: int
    most: int = CONNECTIONS
    _open: int = 0
    _idle: list[Door] = field(default_factory=list)
    _line: deque[tuple[bytes, Told]] = field(default_factory=deque)
    _opening: set[asyncio.Task[None]] = field(default_factory=set)

    def ask(self, request: bytes, told: Told) -> None:
        """`told` gets the reply, head and body; an empty one where the connection ends."""
        if self._idle:
            self._idle.pop().ask(request, told)
            return
        self._line.append((request, told))
        if self._open < self.most:
            self._open += 1
            task = asyncio.create_task(self._one_more())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def asked(self, request: bytes) -> bytes:
        """The reply, head and body."""
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def told(found: bytes) -> None:
            if not reply.done():  # who asked may have gone
                reply.set_result(found)

        self.ask(request, told)
        return await reply

    def close(self) -> None:
        for door in self._idle:
            door.close()

    def freed(self, door: Door) -> None:
        if self._line:
            door.ask(*self._line.popleft())
        else:
            self._idle.append(door)

    def lost(self, door: Door) -> None:
        self._open -= 1
        if door in self._idle:
            self._idle.remove(door)

    async def _one_more(self) -> None:
        loop = asyncio.get_running_loop()
        _, door = await loop.create_connection(lambda: Door(self), "127.0.0.1", self.port)
        self.freed(door)
