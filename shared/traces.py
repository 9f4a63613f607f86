"""Traces: one from an event to its survey, answer, score and alert (W3C Trace Context, OTLP).

Off unless `EARSHOT_TRACES_URL` names a collector; then nothing here costs more than a look at a
flag. What a `traceparent` says decides whether its trace is followed; of what comes without one a
share is.
"""

import asyncio
import random
import re
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    get_current_span,
    set_span_in_context,
    use_span,
)

from shared.settings import Settings

TRACEPARENT: Final = "traceparent"
_FORM: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_EXPORT_S: Final = 5.0
_LEAVE_S: Final = 3.0  # for the spans that are not yet told, when a process ends
_chance = random.SystemRandom()


@dataclass(frozen=True)
class Traces:
    """Begins spans of one service; without a tracer it begins none."""

    tracer: Tracer | None = None
    share: float = 0.0

    def begin(
        self,
        name: str,
        parent: str | None = None,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Mapping[str, str | int] | None = None,
        links: tuple[str, ...] = (),
    ) -> Span | None:
        """A span to be ended by the caller; None where its trace is not followed.

        `parent` is a `traceparent`; one that cannot be read is as good as none.
        """
        if self.tracer is None:
            return None
        before = read_traceparent(parent)
        if before is None and _chance.random() >= self.share:
            return None
        if before is not None and not before.trace_flags.sampled:
            return None
        context = Context() if before is None else set_span_in_context(NonRecordingSpan(before))
        others = [Link(found) for text in links if (found := read_traceparent(text)) is not None]
        return self.tracer.start_span(
            name, context, kind=kind, attributes=dict(attributes or {}), links=others
        )


UNTRACED: Final = Traces()


def read_traceparent(text: str | None) -> SpanContext | None:
    """What a `traceparent` names; None where it names nothing."""
    found = _FORM.fullmatch(text) if text else None
    if found is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
    context = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
    return context if context.is_valid else None


def is_followed(text: str | None) -> bool:
    """Whether a `traceparent` asks for its trace to be kept."""
    found = read_traceparent(text)
    return found is not None and bool(found.trace_flags.sampled)


def traceparent_of(span: Span) -> str:
    """The span as the next one's parent."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def current_traceparent() -> str | None:
    """The request's span, where there is one."""
    span = get_current_span()
    return traceparent_of(span) if span.get_span_context().is_valid else None


@contextmanager
def within(span: Span) -> Iterator[None]:
    """What runs here belongs to the span, which ends with it, however that is.

    Of a fault its kind alone is told: its words may quote a customer's value.
    """
    with use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield
        except Exception as error:
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


@asynccontextmanager
async def open_traces(settings: Settings, service: str) -> AsyncIterator[Traces]:
    """The service's traces, told to the collector in the background; a dead one costs nothing."""
    url = settings.traces_url.rstrip("/")
    if not url:
        yield UNTRACED
        return
    provider = _told_to(f"{url}/v1/traces", service)
    try:
        yield Traces(provider.get_tracer("earshot"), settings.traces_share)
    finally:
        # in a thread that nobody waits for longer: a collector that hangs must not hold the end
        leaving = threading.Thread(target=provider.shutdown, daemon=True)
        leaving.start()
        await asyncio.to_thread(leaving.join, _LEAVE_S)  # others are still closing


def _told_to(url: str, service: str) -> Any:
    """A provider of tracers whose spans go to the collector in batches.

    What it needs is read here: it takes a tenth of a second, which nobody pays who keeps no traces.
    """
    http = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    sdk = import_module("opentelemetry.sdk.trace")
    export = import_module("opentelemetry.sdk.trace.export")
    resources = import_module("opentelemetry.sdk.resources")
    resource = resources.Resource.create({"service.name": f"earshot-{service}"})
    provider = sdk.TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = http.OTLPSpanExporter(endpoint=url, timeout=_EXPORT_S)
    provider.add_span_processor(export.BatchSpanProcessor(exporter))
    return provider
