"""Replies and invitations as they come from Kafka, read strictly."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import msgspec

from services.scoring.consumer.decisions import read_decision
from services.scoring.consumer.texts import (
    check_moment,
    check_sizes,
    clean_segments,
    clean_text,
    text_of,
)
from services.scoring.domain.answers import Asking, Reply, Truth
from shared.errors import Reason, Refused
from shared.events import SurveyInvitation, SurveyResponse, Topic
from shared.programme.metrics import UnknownMetric, accepted_metrics, find_metric
from shared.stream.pipeline import Decode
from shared.stream.records import Record
from shared.wire import decode_record, decoder

_SMALL: Final = 2_000  # bytes: no text of a record this small is too long for a key
_METRIC: Final = f"metric and scale are none of {accepted_metrics()}"
_RESPONSES = decoder(SurveyResponse)
_INVITATIONS = decoder(SurveyInvitation)
_CONTENT = msgspec.json.Encoder(order="deterministic")


def build_decoders(touchpoint_dimensions: Sequence[str]) -> dict[str, Decode]:
    """A decoder a topic. `touchpoint_dimensions` take an answer's own touchpoint as value."""

    def read_response(record: Record) -> Truth:
        response = decode_record(_RESPONSES, text_of(record))
        if len(record.value or b"") > _SMALL:
            check_sizes(response)
        segments = clean_segments(response.segments)
        if response.touchpoint is not None and (place := clean_text(response.touchpoint)):
            segments = segments | dict.fromkeys(touchpoint_dimensions, place)
        return _reply(response, segments)

    def read_invitation(record: Record) -> Truth:
        invitation = decode_record(_INVITATIONS, text_of(record))
        if len(record.value or b"") > _SMALL:
            check_sizes(invitation)
        return _asking(invitation)

    return {
        Topic.SURVEY_RESPONSES: read_response,
        Topic.SURVEY_INVITATIONS: read_invitation,
        Topic.SURVEY_DECISIONS: read_decision,
    }


def _reply(response: SurveyResponse, segments: dict[str, str]) -> Truth:
    answered_at = check_moment("answered_at", response.answered_at)
    answers = response.answers
    invited = response.invitation_id is not None
    key = _key(response.invitation_id or response.id)
    _check_score(response)
    content = (
        response.submission_id,
        response.survey,
        response.metric,
        response.scale,
        answers,
        segments,
        response.touchpoint,
        response.customer_id,
        response.language,
        response.channel,
        invited,
    )
    reply = Reply(
        answered_at=answered_at,
        digest=sha256(_CONTENT.encode(content)).hexdigest()[:8],
        invited=invited,
        survey=response.survey,
        metric=response.metric,
        scale=response.scale[1],
        score=answers.score,
        segments=segments,
        touchpoint=response.touchpoint,
        customer_id=response.customer_id,
        reasons=answers.reasons,
        comment=answers.comment,
        language=response.language,
        channel=response.channel,
        submission_id=None if response.submission_id == key else response.submission_id,
        received_at=check_moment("received_at", response.received_at),
    )
    return Truth(key, reply)


def _asking(invitation: SurveyInvitation) -> Truth:
    try:
        find_metric(invitation.metric, invitation.scale)
    except UnknownMetric:
        raise Refused(Reason.OUT_OF_RANGE, _METRIC, "metric") from None
    if not 0 <= invitation.revision < 2**31:
        raise Refused(Reason.OUT_OF_RANGE, "revision is not from 0 to 2147483647", "revision")
    asking = Asking(
        revision=invitation.revision,
        status=invitation.status,
        asked_survey=invitation.survey,
        kind=invitation.kind,
        asked_metric=invitation.metric,
        asked_scale=invitation.scale[1],
        asked_segments=clean_segments(invitation.segments),
        asked_touchpoint=invitation.touchpoint,
        asked_customer_id=invitation.customer_id,
        event_at=check_moment("event.time", invitation.event.time),
        invited_at=check_moment("invited_at", invitation.invited_at),
    )
    return Truth(_key(invitation.id), asking=asking)


def _check_score(response: SurveyResponse) -> None:
    try:
        find_metric(response.metric, response.scale)
    except UnknownMetric:
        raise Refused(Reason.OUT_OF_RANGE, _METRIC, "metric") from None
    low, high = response.scale
    if not low <= response.answers.score <= high:
        detail = f"answers.score is not a whole number from {low} to {high}"
        raise Refused(Reason.OUT_OF_RANGE, detail, "answers.score")


def _key(name: str) -> str:
    if not name:
        raise Refused(Reason.OUT_OF_RANGE, "id is empty", "id")
    return name
