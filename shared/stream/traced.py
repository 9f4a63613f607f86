"""Records that belong to a trace: each is followed through the batch that settles it."""

from collections.abc import Iterable, Sequence
from typing import Final

import structlog
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from shared.errors import Refused
from shared.flows import group_of
from shared.stream.records import Decoded, Headers, Record
from shared.traces import TRACEPARENT, Traces, traceparent_of

_log = structlog.get_logger()
_LEFT: Final = Status(StatusCode.ERROR, "not settled here")
Place = tuple[str, int, int]


class Traced:
    """The spans of the records that are under way.

    A record that is followed carries its span as `traceparent` while it is processed, so that
    whatever a handler passes on comes after it.
    """

    def __init__(self, service: str, traces: Traces) -> None:
        self._service = service
        self._traces = traces
        self._open: dict[Place, Span] = {}

    def begin(self, records: Sequence[Record]) -> Sequence[Record]:
        """The records, each with its own span where its trace is followed."""
        if self._traces.tracer is None:
            return records
        return [self._begun(record) for record in records]

    def _begun(self, record: Record) -> Record:
        attributes: dict[str, str | int] = {
            "messaging.system": "kafka",
            "messaging.destination.name": record.topic,
            "messaging.destination.partition.id": str(record.partition),
            "messaging.kafka.offset": record.offset,
            "messaging.consumer.group.name": group_of(self._service),
        }
        span = self._traces.begin(
            f"{record.topic} process",
            trace_in(record.headers),
            kind=SpanKind.CONSUMER,
            attributes=attributes,
        )
        if span is None:
            return record
        self._open[_place(record)] = span
        return record._replace(headers=with_trace(record.headers, traceparent_of(span)))

    def settled(self, batch: Iterable[Decoded], lasts: Iterable[Record]) -> None:
        """End the spans of what was committed, and say one line for each.

        `lasts`: a record of each partition that was; the rest of the batch is another owner's.
        """
        if not self._open:
            return
        homes = {last.home for last in lasts}
        for record, value in batch:
            span = self._open.pop(_place(record), None) if record.home in homes else None
            if span is None:
                continue
            outcome = "ok"
            if isinstance(value, Refused):
                outcome = "dead-letter"
                span.set_status(Status(StatusCode.ERROR, value.reason))
            span.end()
            _log.info(
                "record settled", topic=record.topic, partition=record.partition,
                offset=record.offset, outcome=outcome,
                trace_id=f"{span.get_span_context().trace_id:032x}",
            )  # fmt: skip

    def leave(self) -> None:
        """End the spans of what stays unsettled: another poll, or another owner, begins anew."""
        for span in self._open.values():
            span.set_status(_LEFT)
            span.end()
        self._open.clear()


def trace_in(headers: Headers) -> str | None:
    """The `traceparent` of a record; None where it has none that can be read."""
    for name, content in headers:
        if name == TRACEPARENT and content:
            return content.decode("ascii", "replace")
    return None


def with_trace(headers: Headers, traceparent: str | None) -> Headers:
    """The headers with this `traceparent` in the place of theirs."""
    if traceparent is None:
        return headers
    others = tuple(header for header in headers if header[0] != TRACEPARENT)
    return (*others, (TRACEPARENT, traceparent.encode()))


def _place(record: Record) -> Place:
    return record.topic, record.partition, record.offset
