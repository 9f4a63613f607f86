"""A TCP proxy that cuts or black-holes what goes through it."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close sends RST
_CHUNK = 64 * 1024


@dataclass
class Proxy:
    """Forwards a port of loopback to another; both directions suffer alike."""

    target: int
    port: int = 0
    cuts: int = 0
    _open: asyncio.Event = field(default_factory=asyncio.Event)
    _refuses: bool = False
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._open.set()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def reset(self) -> None:
        """RST to both ends of every connection there is; new ones are taken."""
        for writer in list(self._writers):
            plug = writer.get_extra_info("socket")
            with suppress(OSError):  # it is closed already
                plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()
            self.cuts += 1

    @contextmanager
    def cut(self) -> Iterator[None]:
        """RST to what is open, and to whatever is opened meanwhile."""
        self._refuses = True
        self.reset()
        try:
            yield
        finally:
            self._refuses = False

    @contextmanager
    def hole(self) -> Iterator[None]:
        """Connections stay and are taken; no byte goes through. It arrives afterwards."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self._refuses:
                self.reset()
                return
            await self._open.wait()
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
            self._writers.add(back)
            try:
                await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
            finally:
                self._writers.discard(back)
                back.transport.abort()
        except OSError:
            pass  # the target is down: the client sees its connection end
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(_CHUNK):
            await self._open.wait()
            sink.write(chunk)
            await sink.drain()
        sink.transport.abort()


@asynccontextmanager
async def open_proxy(target: int, port: int = 0) -> AsyncIterator[Proxy]:
    """A proxy to a port of loopback, which need not listen yet."""
    proxy = Proxy(target)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", port)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        proxy.reset()
        server.close()
        await server.wait_closed()
