"""ASGI middleware: a request that belongs to a trace has a span, which logs and records name."""

from typing import Final

from opentelemetry.trace import SpanKind, Status, StatusCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.traces import TRACEPARENT, Traces, within
from shared.web.naming import template_of

_UNWATCHED: Final = ("/healthz", "/readyz", "/metrics")
_HEADER: Final = TRACEPARENT.encode()


class TracedRequests:
    """Follow requests but probes; the outermost layer, so that all of the time is seen."""

    def __init__(self, app: ASGIApp, traces: Traces) -> None:
        self._app = app
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        span = None
        if scope["type"] == "http" and scope["path"] not in _UNWATCHED:
            span = self._traces.begin(
                scope["method"],
                _parent(scope),
                kind=SpanKind.SERVER,
                attributes={"http.request.method": scope["method"]},
            )
        if span is None:
            await self._app(scope, receive, send)
            return

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                span.set_attribute("http.response.status_code", message["status"])
                if message["status"] >= 500:
                    span.set_status(Status(StatusCode.ERROR))
            await send(message)

        with within(span):
            try:
                await self._app(scope, receive, noted)
            finally:
                template = template_of(scope)
                if template is not None:
                    span.update_name(f"{scope['method']} {template}")
                    span.set_attribute("http.route", template)


def follow(app: ASGIApp, traces: Traces) -> ASGIApp:
    """The application as it is where no traces are kept: a layer costs each request."""
    return app if traces.tracer is None else TracedRequests(app, traces)


def _parent(scope: Scope) -> str | None:
    found = next((value for name, value in scope["headers"] if name == _HEADER), None)
    return None if found is None else found.decode("ascii", "replace")
