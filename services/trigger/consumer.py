"""Events and opt-outs from Kafka."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from services.trigger.domain.occasions import PREFIXES, read_occasion
from services.trigger.handlers import Arrival, Desk, on_batch
from services.trigger.handlers.ledger import Publish
from services.trigger.metrics import FOREIGN
from services.trigger.store.ledger import SqlLedger
from shared.cloudevents import read_event
from shared.errors import Reason, Refused
from shared.events import SurveyDecision, SurveyOptout, Topic
from shared.failpoints import Point, hit
from shared.programme.models import Programme
from shared.stream.pipeline import Decode, Handle, Producer
from shared.stream.records import Decoded, Outgoing, Record
from shared.wire import decode_record, decoder, encode

TOPICS = (Topic.TRANSACTIONS, Topic.SUPPORT_CALLS, Topic.SURVEY_OPTOUTS)
_OPTOUT = decoder(SurveyOptout)


@dataclass(frozen=True)
class Intake:
    """What the consumer decides with."""

    programme: Programme
    channels: frozenset[str]
    producer: Producer
    clock: Callable[[], datetime]


def build_decoders(programme: Programme) -> Mapping[str, Decode]:
    """Topic to decoder. An event of a foreign type is None: counted and passed over."""
    dimensions = programme.segments.paths

    def event(record: Record) -> Arrival | None:
        headers = read_headers(record)
        found = read_event(headers.get("content-type"), headers, record.value or b"")
        if not found.type.startswith(PREFIXES):
            FOREIGN.inc()
            return None
        return Arrival(read_occasion(found, dimensions), headers.get("traceparent"))

    def optout(record: Record) -> SurveyOptout:
        return decode_record(_OPTOUT, record.value)

    return {
        Topic.TRANSACTIONS: event,
        Topic.SUPPORT_CALLS: event,
        Topic.SURVEY_OPTOUTS: optout,
    }


def build_publish(producer: Producer) -> Publish:
    """What tells decisions before their transaction ends."""

    async def publish(decisions: Sequence[SurveyDecision]) -> None:
        hit(Point.ROWS_WRITTEN)
        await producer.send([outgoing_decision(decision) for decision in decisions])

    return publish


def build_handle(intake: Intake) -> Handle:
    """The batch: decide in the transaction, and have the decisions acknowledged before it ends."""
    publish = build_publish(intake.producer)

    async def handle(items: Sequence[Decoded], connection: AsyncConnection) -> None:
        values: list[Any] = [item.value for item in items]
        arrivals = [value for value in values if isinstance(value, Arrival)]
        optouts = [value for value in values if isinstance(value, SurveyOptout)]
        desk = Desk(intake.programme, intake.channels, intake.clock())
        await on_batch(arrivals, optouts, SqlLedger(connection), publish, desk)

    return handle


def outgoing_decision(decision: SurveyDecision) -> Outgoing:
    """The decision on its topic; without a customer the event is the key."""
    key = decision.customer_id or f"{decision.source} {decision.event_id}"
    return Outgoing(Topic.SURVEY_DECISIONS, key.encode(), encode(decision))


def read_headers(record: Record) -> dict[str, str]:
    """The record's headers as text, names in lower case; of a repeated one the last counts."""
    try:
        return {name.lower(): (value or b"").decode() for name, value in record.headers}
    except UnicodeDecodeError:
        raise Refused(Reason.BAD_UTF8, "a header is not UTF-8") from None
