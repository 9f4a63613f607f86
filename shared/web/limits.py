"""ASGI middleware: bodies are bounded, requests are counted and timed by route."""

import time
from collections.abc import Mapping
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import TooLarge
from shared.metrics.http import NO_ROUTE, HttpMetrics
from shared.web.naming import template_of
from shared.web.problems import problem_response

SINGLE: Final = 64 * 1024


class BodyLimit:
    """Refuse a body over the path's limit with 413, before and while it is read."""

    def __init__(self, app: ASGIApp, limits: Mapping[str, int]) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        limit = self._limits.get(scope["path"], SINGLE)
        declared = next((v for k, v in scope["headers"] if k == b"content-length"), b"0")
        if declared.isdigit() and int(declared) > limit:
            refused = TooLarge(f"the body is over {limit // 1024} KiB")
            await problem_response(refused)(scope, receive, send)
            return
        await self._bounded(scope, receive, send, limit)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        """Whatever the application makes of the interruption, the answer is 413."""
        refused = TooLarge(f"the body is over {limit // 1024} KiB")
        taken, over = 0, False

        async def counted() -> Message:
            nonlocal taken, over
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                over = True
                raise refused
            return message

        async def answered(message: Message) -> None:
            if not over:
                await send(message)

        try:
            await self._app(scope, counted, answered)
        except TooLarge:
            if not over:
                raise
        if over:
            await problem_response(refused)(scope, receive, send)


class Counted:
    """Count and time requests by route template; never by path, which is unbounded."""

    def __init__(self, app: ASGIApp, metrics: HttpMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status, until = 500, 0.0

        async def noted(message: Message) -> None:
            nonlocal status, until
            if message["type"] == "http.response.start":
                status = message["status"]
                if _is_endless(message):
                    until = time.perf_counter()
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            taken = (until or time.perf_counter()) - began
            self._metrics.note(template_of(scope) or NO_ROUTE, scope["method"], status, taken)


def _is_endless(start: Message) -> bool:
    """Whether the reply is a stream of events, that ends when its reader goes."""
    heads = start.get("headers", ())
    return any(n == b"content-type" and v.startswith(b"text/event-stream") for n, v in heads)
