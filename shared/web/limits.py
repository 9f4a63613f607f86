"""ASGI middleware: bodies are bounded, requests are counted and timed by route."""

import time
from collections.abc import Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import TooLarge
from shared.web.problems import problem_response

SINGLE: Final = 64 * 1024
BATCH: Final = 4 * 1024 * 1024


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

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self._app = app
        self._requests = Counter(
            "earshot_http_requests",
            "Requests answered, by route, method and status code.",
            ["route", "method", "code"],
            registry=registry,
        )
        self._seconds = Histogram(
            "earshot_http_request_duration_seconds",
            "Time to answer, by route.",
            ["route"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route: Any = scope.get("route")
            template = getattr(route, "path", "none")
            self._requests.labels(template, scope["method"], str(status)).inc()
            self._seconds.labels(template).observe(time.perf_counter() - started)
