"""Spans kept in memory, for tests of who is traced by whom."""

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext

from shared.traces import Traces


class Spans:
    """Traces of one service, and what they came to."""

    def __init__(self, share: float = 0.0) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(resource=Resource({}), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.traces = Traces(provider.get_tracer("tests"), share)

    @property
    def ended(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.ended]


def trace_id(span: ReadableSpan) -> str:
    """As it stands in a `traceparent`."""
    return f"{_context(span).trace_id:032x}"


def span_id(span: ReadableSpan) -> str:
    """Likewise."""
    return f"{_context(span).span_id:016x}"


def _context(span: ReadableSpan) -> SpanContext:
    found = span.get_span_context()
    assert found is not None
    return found


def parent_id(span: ReadableSpan) -> str | None:
    return None if span.parent is None else f"{span.parent.span_id:016x}"
