"""A submission in one of its three forms becomes one `SurveyResponse`, or all its faults.

An invited answer's id is its invitation's id, so that two channels count once; the id that the
caller sent stays as `submission_id`. Without `answered_at` the time of receipt stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from services.ingest.domain.catalogue import Asked, Catalogue, find_asked
from services.ingest.domain.fields import (
    Faults,
    read_comment,
    read_id,
    read_language,
    read_reasons,
    read_segments,
    read_time,
    read_whole,
    read_word,
    shown,
    wrong_type,
)
from shared.errors import FieldFault, Invalid, unknown_name
from shared.events import Answers, SurveyResponse

_SHARED: Final = frozenset(
    ("answers", "id", "customer_id", "touchpoint", "answered_at", "language", "channel")
)
_BY_TOKEN: Final = _SHARED | {"token"}
_BY_ID: Final = _SHARED | {"invitation_id", "survey", "metric", "scale_max", "segments"}
ALL_FIELDS: Final = _BY_TOKEN | _BY_ID
ANSWER_FIELDS: Final = frozenset(("score", "reasons", "comment"))
_ANSWERS: Final = "an object with score, reasons, comment"
_BESIDE_LINK: Final = "no such field beside a token: the invitation says it"


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a genuine token stands for: an invitation, what it asked, in which language."""

    invitation_id: str
    asked: Asked
    language: str
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """When a submission came, and by which way."""

    at: datetime
    channel: str


class _Ids(NamedTuple):
    answer: str
    submission: str
    invitation: str | None


class _About(NamedTuple):
    asked: Asked | None
    segments: dict[str, str]
    language: str | None


def token_in(body: object) -> str | None:
    """The token of a submission in its first form; None means one of the other two.

    Raises Invalid if it is no text.
    """
    if not isinstance(body, Mapping) or "token" not in body:
        return None
    token = body["token"]
    if not isinstance(token, str):
        raise Invalid.of([wrong_type("token", token, "the text from the survey's link")])
    return token


def answer_by_ticket(
    body: Mapping[str, object], ticket: Ticket, receipt: Receipt
) -> SurveyResponse:
    """The answer of somebody who was invited and proves it by the token. Raises Invalid."""
    faults: Faults = []
    for name in sorted(body.keys() - _BY_TOKEN):
        if name in ALL_FIELDS:
            faults.append(FieldFault(name, "unknown-field", name, _BESIDE_LINK))
        else:
            faults.append(unknown_name(name, name, _BY_TOKEN))
    submission_id = read_id("id", body.get("id"), faults)
    return _response(
        body,
        _Ids(ticket.invitation_id, submission_id or ticket.invitation_id, ticket.invitation_id),
        _About(ticket.asked, {}, ticket.language),
        receipt,
        faults,
    )


def answer_by_id(body: object, catalogue: Catalogue, receipt: Receipt) -> SurveyResponse:
    """The answer of an invitation named by its id, or of nobody invited. Raises Invalid."""
    if not isinstance(body, Mapping):
        raise Invalid.of([wrong_type("body", body, "an object with id, survey or metric, answers")])
    faults: Faults = []
    for name in sorted(body.keys() - _BY_ID):
        faults.append(unknown_name(name, name, ALL_FIELDS))
    invitation_id = read_id("invitation_id", body.get("invitation_id"), faults)
    submission_id = read_id("id", body.get("id"), faults)
    if body.get("id") is None and body.get("invitation_id") is None:
        faults.append(FieldFault("id", "missing-field", None, "an id that names this answer"))
    asked = _asked(body, catalogue, faults)
    if invitation_id is not None and asked is not None and asked.survey is None:
        accepted = "the key of the survey that the invitation asked"
        faults.append(FieldFault("survey", "missing-field", None, accepted))
    answer_id = invitation_id or submission_id or ""
    return _response(
        body,
        _Ids(answer_id, submission_id or answer_id, invitation_id),
        _About(asked, read_segments(body.get("segments"), faults), None),
        receipt,
        faults,
    )


def _asked(body: Mapping[str, object], catalogue: Catalogue, faults: Faults) -> Asked | None:
    before = len(faults)
    survey = read_id("survey", body.get("survey"), faults)
    metric = read_id("metric", body.get("metric"), faults)
    scale_max = body.get("scale_max")
    whole = None
    if scale_max is not None:
        whole = read_whole("scale_max", scale_max, "the scale's last point", faults)
    if len(faults) > before:
        return None
    return find_asked(catalogue, (survey, metric, whole), faults)


def _response(
    body: Mapping[str, object],
    ids: _Ids,
    about: _About,
    receipt: Receipt,
    faults: Faults,
) -> SurveyResponse:
    asked = about.asked
    answers = _answers(body.get("answers"), asked, faults)
    customer_id = read_id("customer_id", body.get("customer_id"), faults)
    touchpoint = read_word("touchpoint", body.get("touchpoint"), faults)
    channel = read_word("channel", body.get("channel"), faults)
    language = read_language(body.get("language"), faults)
    answered_at = read_time("answered_at", body.get("answered_at"), receipt.at, faults)
    if faults or asked is None or answers is None:
        raise Invalid.of(faults)
    return SurveyResponse(
        id=ids.answer,
        submission_id=ids.submission,
        invitation_id=ids.invitation,
        survey=asked.survey,
        metric=asked.metric,
        scale=asked.scale,
        customer_id=customer_id,
        touchpoint=touchpoint,
        segments=about.segments,
        answers=answers,
        language=language or about.language,
        channel=channel or receipt.channel,
        answered_at=answered_at or receipt.at,
        received_at=receipt.at,
    )


def _answers(value: object, asked: Asked | None, faults: Faults) -> Answers | None:
    if not isinstance(value, Mapping):
        if value is None:
            faults.append(FieldFault("answers", "missing-field", None, _ANSWERS))
        else:
            faults.append(wrong_type("answers", value, _ANSWERS))
        return None
    for name in sorted(value.keys() - ANSWER_FIELDS):
        faults.append(unknown_name(f"answers.{name}", name, ANSWER_FIELDS))
    accepted = _scale_text(asked)
    score = read_whole("answers.score", value.get("score"), accepted, faults)
    reasons = read_reasons("answers.reasons", value.get("reasons"), faults)
    comment = read_comment("answers.comment", value.get("comment"), faults)
    if score is None:
        return None
    if asked is not None and not asked.scale[0] <= score <= asked.scale[1]:
        faults.append(FieldFault("answers.score", "out-of-range", shown(score), accepted))
    return Answers(score=score, reasons=reasons, comment=comment)


def _scale_text(asked: Asked | None) -> str:
    if asked is None:
        return "a whole number on the survey's scale"
    return f"a whole number from {asked.scale[0]} to {asked.scale[1]}"
