"""Plain HTTP/1.1 callers that know whether a request was sent on an open connection."""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

Body = Callable[[int], dict[str, Any] | None]
_REFUSED_S = 0.05


class _Link:
    """One connection; `spent` when no further request may be sent on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._closes = False

    @property
    def spent(self) -> bool:
        return self._closes or self._reader.at_eof() or self._writer.is_closing()

    async def ask(self, head: str, content: bytes) -> tuple[int, bytes]:
        """Status and content of the reply."""
        self._writer.write(head.encode() + content)
        await self._writer.drain()
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:] if line)
        body = await self._reader.readexactly(int(headers["content-length"]))
        self._closes = headers.get("connection") == "close"
        return int(lines[0].split()[1]), body

    def close(self) -> None:
        self._writer.transport.abort()


@dataclass
class Caller:
    """Asks one thing again and again, on one connection or on a new one each time.

    `refused`: nobody listened, and nothing was sent. `failed`: it was sent on an open connection,
    and no reply came. `put_off`: what was said instead of a 2xx. Those that share `numbers` never
    send the same. `pick`: the port of the next connection, where it is not always the same.
    """

    port: int
    path: str
    keeps: bool
    body: Body = lambda number: None
    statuses: Counter[int] = field(default_factory=Counter)
    acked: set[int] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)
    put_off: list[str] = field(default_factory=list)
    refused: int = 0
    numbers: Iterator[int] = field(default_factory=itertools.count)
    pick: Callable[[], int] | None = None
    _link: _Link | None = None

    async def run(self, stop: asyncio.Event, *, pause_s: float = 0.005) -> None:
        """Ask until `stop` is set; a number is drawn only once there is a connection for it."""
        while not stop.is_set():
            link = await self._reach()
            if link is None:
                await asyncio.sleep(_REFUSED_S)
                continue
            await self._ask(link, next(self.numbers))
            await asyncio.sleep(pause_s)
        self._leave()

    async def _reach(self) -> _Link | None:
        if self._link is None or self._link.spent or not self.keeps:
            self._leave()
            port = self.port if self.pick is None else self.pick()
            try:
                self._link = _Link(*await asyncio.open_connection("127.0.0.1", port))
            except OSError:
                self.refused += 1
        return self._link

    async def _ask(self, link: _Link, number: int) -> None:
        found = self.body(number)
        content = b"" if found is None else json.dumps(found).encode()
        head = (
            f"{'GET' if found is None else 'POST'} {self.path} HTTP/1.1\r\nhost: x\r\n"
            f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        )
        try:
            async with asyncio.timeout(30):
                status, said = await link.ask(head, content)
        except (OSError, EOFError, TimeoutError) as error:
            self.failed.append(type(error).__name__)
            self._leave()
            return
        self.statuses[status] += 1
        if status < 300:
            self.acked.add(number)
        else:
            self.put_off.append(f"{self.path}: {said.decode(errors='replace')}")

    def _leave(self) -> None:
        if self._link is not None:
            with suppress(RuntimeError):
                self._link.close()
        self._link = None
