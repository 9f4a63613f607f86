"""`POST /v1/events`: CloudEvents structured, binary, bare or in a batch."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from services.ingest.api.batch import MOST, Item, rejected
from services.ingest.api.bodies import decode_json
from services.ingest.handlers.events import publish_events, record_of
from services.ingest.handlers.ports import Producer
from services.ingest.metrics import REFUSED
from shared.cloudevents import from_envelope, read_event, to_structured
from shared.errors import (
    BadJson,
    EarshotError,
    FieldFault,
    Invalid,
    Refused,
    TooLarge,
    UnsupportedMedia,
    answer_to,
)
from shared.events import Event
from shared.stream.records import Outgoing
from shared.traces import TRACEPARENT, current_traceparent

_LONGEST_TRACE: Final = 200


def check_event_media(media_type: str) -> None:
    """Raise UnsupportedMedia unless the body is JSON of some kind."""
    if media_type not in ("", "application/json") and not media_type.endswith("+json"):
        accepted = "application/cloudevents+json, application/cloudevents-batch+json, or JSON"
        raise UnsupportedMedia(f"{media_type} is not taken here; accepted: {accepted}")


async def take_event(headers: Mapping[str, str], body: bytes, producer: Producer) -> Item:
    """The reply to one event. Raises BadJson, Invalid or Unavailable."""
    attributes = {name: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
    try:
        event = read_event(headers.get("content-type"), attributes, body)
        record = record_of(event, to_structured(event), trace_of(headers))
    except (Refused, RecursionError, EarshotError) as error:
        raise explained(error) from None
    await publish_events(producer, [record])
    return {**_names(event), "status": "accepted"}


async def take_event_batch(
    headers: Mapping[str, str], body: bytes, producer: Producer
) -> list[Item]:
    """One outcome per event, in order. Raises Unavailable if Kafka took none."""
    envelopes = decode_json(body)
    if not isinstance(envelopes, list):
        accepted = "an array of events"
        raise Invalid.of([FieldFault("body", "wrong-type", type(envelopes).__name__, accepted)])
    if len(envelopes) > MOST:
        raise TooLarge(f"{len(envelopes):,} events; at most {MOST:,} are taken at once")
    outcomes: list[Item] = []
    records: list[Outgoing] = []
    for index, envelope in enumerate(envelopes):
        try:
            event = from_envelope(envelope)
            records.append(record_of(event, to_structured(event), trace_of(headers)))
            outcomes.append({"index": index, **_names(event), "status": "accepted"})
        except (Refused, RecursionError, EarshotError) as error:
            outcomes.append(rejected(index, _names_in(envelope), explained(error)))
    await publish_events(producer, records)
    return outcomes


def trace_of(headers: Mapping[str, str]) -> bytes | None:
    """The request's own span where its trace is followed; else the caller's context, passed on."""
    trace = current_traceparent() or headers.get(TRACEPARENT) or headers.get("ce-traceparent")
    return trace.encode()[:_LONGEST_TRACE] if trace else None


def explained(error: Exception) -> EarshotError:
    """What a refusal means to an HTTP caller: 400 where it is no JSON, else 422."""
    if isinstance(error, Refused):
        error = answer_to(error)
    elif not isinstance(error, EarshotError):
        error = BadJson("the event is nested too deeply")
    REFUSED.labels(str(error.status)).inc()
    return error


def _names(event: Event) -> dict[str, Any]:
    return {"source": event.source, "id": event.id}


def _names_in(envelope: object) -> dict[str, Any]:
    found = envelope if isinstance(envelope, dict) else {}
    texts = {name: found.get(name) for name in ("source", "id")}
    return {name: t[:200] if isinstance(t, str) else None for name, t in texts.items()}
