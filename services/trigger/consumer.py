"""Events, opt-outs and scored answers from Kafka."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from services.trigger.domain.answers import read_believed
from services.trigger.domain.occasions import PREFIXES, read_occasion
from services.trigger.handlers import Arrival, Desk, Publish, on_answers, on_batch
from services.trigger.metrics import FOREIGN
from services.trigger.store.answers import SqlAnswers
from services.trigger.store.ledger import SqlLedger
from shared.cloudevents import read_event
from shared.errors import Reason, Refused
from shared.events import ScoredResponse, SurveyDecision, SurveyOptout, Topic
from shared.failpoints import Point, hit
from shared.programme.models import Programme
from shared.stream.pipeline import Decode, Handle, Producer
from shared.stream.records import Decoded, Outgoing, Record
from shared.wire import decode_record, decoder, encode

_OPTOUT = decoder(SurveyOptout)
_SCORED = decoder(ScoredResponse)


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
        Topic.SCORED_RESPONSES: read_answer,
    }


def build_publish(producer: Producer) -> Publish:
    """What tells decisions before their transaction ends."""

    async def publish(decisions: Sequence[SurveyDecision]) -> None:
        hit(Point.ROWS_WRITTEN)
        await producer.send([outgoing_decision(decision) for decision in decisions])

    return publish


def build_handle(intake: Intake) -> Handle:
    """The batch: decide in the transaction, and have the decisions acknowledged before it ends.

    Answers come first, so that decisions know them and nothing is sent that the database refuses.
    """
    publish = build_publish(intake.producer)

    async def handle(items: Sequence[Decoded], connection: AsyncConnection) -> None:
        values: list[Any] = [item.value for item in items]
        arrivals = [value for value in values if isinstance(value, Arrival)]
        optouts = [value for value in values if isinstance(value, SurveyOptout)]
        answers = [value for value in values if isinstance(value, ScoredResponse)]
        await on_answers(answers, SqlAnswers(connection))
        desk = Desk(intake.programme, intake.channels, intake.clock())
        await on_batch(arrivals, optouts, SqlLedger(connection), publish, desk)

    return handle


def read_answer(record: Record) -> ScoredResponse:
    """A scored answer, no later than when the broker stored it. Raises Refused."""
    stored = record.timestamp_ms
    at = datetime.fromtimestamp(stored / 1000, UTC) if stored > 0 else None
    return read_believed(decode_record(_SCORED, record.value), at)


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
