"""The wire contract: one frozen model per record, its topic beside it.

Readers ignore unknown fields and are strict about the required ones. A record is the whole present
truth of one thing; the greatest `version` (or `revision`) wins, so repetition and reordering are
harmless. Times are aware datetimes in UTC. What refers to nothing but plain values is left out of
garbage collection (gc=False): a batch makes thousands at once.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import msgspec


class Topic(StrEnum):
    """Kafka topics, without the deployment's prefix."""

    TRANSACTIONS = "transactions"
    SUPPORT_CALLS = "support-calls"
    SURVEY_DECISIONS = "survey-decisions"
    SURVEY_INVITATIONS = "survey-invitations"
    SURVEY_RESPONSES = "survey-responses"
    SCORED_RESPONSES = "scored-responses"
    DETRACTOR_ALERTS = "detractor-alerts"
    SURVEY_OPTOUTS = "survey-optouts"
    DEAD_LETTERS = "dead-letters"


PARTITIONS: Final = 12


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A CloudEvent of an emitter, read by `shared.cloudevents`."""

    id: str
    source: str
    type: str
    time: datetime
    data: dict[str, Any]
    subject: str | None = None


class EventRef(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Which event something came from."""

    source: str
    id: str
    type: str
    time: datetime


class SurveyDecision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """survey-decisions: one decision on one event by one trigger."""

    schema: str = "survey-decision/1"
    source: str
    event_id: str
    event_type: str
    event_time: datetime
    event: EventRef
    customer_id: str | None
    subject_id: str
    trigger: str | None
    survey: str | None
    decision: str
    reason: str
    sentence: str
    invitation_id: str | None
    decided_at: datetime
    programme: str
    touchpoint: str | None = None
    segments: dict[str, str] = {}


class SurveyInvitation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """survey-invitations: an invitation's present truth."""

    schema: str = "survey-invitation/1"
    id: str
    revision: int
    status: str
    survey: str
    kind: str
    metric: str
    scale: tuple[int, int]
    trigger: str
    customer_id: str
    subject_id: str
    touchpoint: str | None
    event: EventRef
    segments: dict[str, str]
    channel: str
    language: str
    invited_at: datetime
    expires_at: datetime


class Answers(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the customer said."""

    score: int
    reasons: tuple[str, ...] = ()
    comment: str | None = None


class SurveyResponse(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """survey-responses: one submission."""

    schema: str = "survey-response/1"
    id: str
    submission_id: str
    invitation_id: str | None = None
    survey: str | None = None
    metric: str
    scale: tuple[int, int]
    customer_id: str | None = None
    touchpoint: str | None = None
    segments: dict[str, str] = {}
    answers: Answers
    language: str | None = None
    channel: str | None = None
    answered_at: datetime
    received_at: datetime


class RecordRef(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where on Kafka a record stood; for tracing only."""

    topic: str
    partition: int
    offset: int


class ScoredResponse(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """scored-responses: an answer's present truth, with class and segments."""

    schema: str = "scored-response/1"
    id: str
    version: str
    invitation_id: str | None = None
    survey: str | None = None
    kind: str | None = None
    metric: str
    scale: tuple[int, int]
    score: int
    klass: str = msgspec.field(name="class")
    reasons: tuple[str, ...] = ()
    comment: str | None = None
    language: str | None = None
    customer_id: str | None = None
    touchpoint: str | None = None
    segments: dict[str, str] = {}
    channel: str | None = None
    answered_at: datetime
    received_at: datetime
    scored_at: datetime
    source: RecordRef | None = None


class SurveyOptout(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """survey-optouts: an opt-out taken by ingest while trigger was away."""

    schema: str = "survey-optout/1"
    invitation_id: str
    channels: tuple[str, ...] = ()
    at: datetime
