"""On an opt-out: told to trigger, or kept on Kafka until trigger is back."""

from enum import StrEnum

from services.ingest.handlers.answers import away
from services.ingest.handlers.ports import Clock, OptOuts, Producer
from services.ingest.metrics import OPTOUTS
from shared.events import SurveyOptout, Topic
from shared.failpoints import Point, hit
from shared.stream.records import KafkaUnavailable, Outgoing
from shared.wire import encode


class Outcome(StrEnum):
    """What became of an opt-out."""

    RECORDED = "recorded"  # trigger has it: nothing is sent any more
    QUEUED = "queued"  # trigger was away: it will have it from Kafka


async def opt_out(
    invitation_id: str, optouts: OptOuts, producer: Producer, clock: Clock
) -> Outcome:
    """Opt the invited customer out of all channels. Raises Unavailable if nobody took it."""
    hit(Point.RECEIVED)
    outcome = Outcome.RECORDED
    if not await optouts.record(invitation_id):
        outcome = Outcome.QUEUED
        optout = SurveyOptout(invitation_id=invitation_id, at=clock())
        record = Outgoing(Topic.SURVEY_OPTOUTS, invitation_id.encode(), encode(optout))
        try:
            await producer.send([record])
        except KafkaUnavailable as error:
            raise away(error) from error
    OPTOUTS.labels(outcome).inc()
    return outcome
