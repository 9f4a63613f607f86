"""A client that takes a file piece by piece, at its own pace, and may leave."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

Message = dict[str, Any]


async def no_wait() -> None:
    """Takes what comes."""


class Taker:
    """Calls the application as a server would; `pace` is awaited before each piece is taken."""

    def __init__(
        self, pace: Callable[[], Awaitable[object]] = no_wait, *, keep: bool = True
    ) -> None:
        self.taken: list[bytes] = []
        self.size = 0
        self.status = 0
        self.headers: dict[str, str] = {}
        self.complete = False
        self._pace = pace
        self._keep = keep
        self._left = asyncio.Event()

    def leave(self) -> None:
        self._left.set()

    async def take(self, app: Any, path: str, **query: str) -> None:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": urlencode(query).encode(),
            "headers": [],
            "client": ("127.0.0.1", 1),
            "server": ("scoring", 80),
        }
        sent = False

        async def receive() -> Message:
            nonlocal sent
            if sent:
                await self._left.wait()
                return {"type": "http.disconnect"}
            sent = True
            return {"type": "http.request", "body": b"", "more_body": False}

        await app(scope, receive, self._send)

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
            return
        await self._pace()
        body = message.get("body", b"")
        self.size += len(body)
        if self._keep:
            self.taken.append(body)
        self.complete = not message.get("more_body", False)
