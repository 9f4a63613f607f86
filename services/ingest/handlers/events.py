"""On an emitter's event: written as structured JSON to the topic of its type."""

from collections.abc import Sequence
from typing import Final

from services.ingest.domain.events import key_of, topic_of
from services.ingest.handlers.answers import away
from services.ingest.handlers.ports import Producer
from services.ingest.metrics import EVENTS
from shared.errors import TooLarge
from shared.events import Event
from shared.failpoints import Point, hit
from shared.stream.records import KafkaUnavailable, Outgoing

STRUCTURED = b"application/cloudevents+json"
MOST_BYTES: Final = 64 * 1024


def record_of(event: Event, structured: bytes, traceparent: bytes | None) -> Outgoing:
    """The record of one event. Raises Invalid if its type has no topic, TooLarge over 64 KiB."""
    if len(structured) > MOST_BYTES:
        raise TooLarge(f"the event is over {MOST_BYTES // 1024} KiB")
    headers = [("content-type", STRUCTURED)]
    if traceparent is not None:
        headers.append(("traceparent", traceparent))
    return Outgoing(topic_of(event), key_of(event).encode(), structured, tuple(headers))


async def publish_events(producer: Producer, records: Sequence[Outgoing]) -> None:
    """Return once every in-sync replica has all of them. Raises Unavailable."""
    hit(Point.RECEIVED)
    try:
        await producer.send(records)
    except KafkaUnavailable as error:
        raise away(error) from error
    for record in records:
        EVENTS.labels(record.topic).inc()
