"""The short way for the ordinary submission: nothing to clean, nothing to explain.

`read_plain` knows only what is plainly right; of everything else it says None, and
`submissions.answer_by_id` decides. A test holds the two to the same record.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import msgspec

from services.ingest.domain.catalogue import Asked, Catalogue
from services.ingest.domain.fields import (
    EARLIEST,
    LONGEST_COMMENT,
    LONGEST_ID,
    MOST_AHEAD,
    MOST_REASONS,
    MOST_SEGMENTS,
    clean_text,
    is_language,
)
from services.ingest.domain.submissions import Receipt
from shared.events import Answers, SurveyResponse
from shared.programme.metrics import METRIC_NAMES, scales_of
from shared.segments import clean_value


class _Given(msgspec.Struct, forbid_unknown_fields=True):
    score: int
    reasons: list[str] = []
    comment: str | None = None


class _Plain(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    answers: _Given
    survey: str | None = None
    metric: str | None = None
    invitation_id: str | None = None
    segments: dict[str, str] = {}
    customer_id: str | None = None
    touchpoint: str | None = None
    language: str | None = None
    channel: str | None = None
    answered_at: datetime | None = None


_decode = msgspec.json.Decoder(_Plain).decode
_BY_METRIC: Final = {name: Asked(None, name, scales_of(name)[0]) for name in METRIC_NAMES}


def read_plain(body: bytes, catalogue: Catalogue, receipt: Receipt) -> SurveyResponse | None:
    """The record of a submission that needs no cleaning; None if it needs a closer look."""
    try:
        given = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    asked = _asked(given, catalogue)
    answered_at = _moment(given.answered_at, receipt.at)
    answers = _answers(given.answers)
    if asked is None or answered_at is None or answers is None or not _is_plain(given):
        return None
    if not asked.scale[0] <= answers.score <= asked.scale[1]:
        return None
    return SurveyResponse(
        id=given.invitation_id or given.id,
        submission_id=given.id,
        invitation_id=given.invitation_id,
        survey=asked.survey,
        metric=asked.metric,
        scale=asked.scale,
        customer_id=given.customer_id,
        touchpoint=given.touchpoint,
        segments=given.segments,
        answers=answers,
        language=given.language,
        channel=given.channel or receipt.channel,
        answered_at=answered_at,
        received_at=receipt.at,
    )


def _asked(given: _Plain, catalogue: Catalogue) -> Asked | None:
    if given.survey is not None:
        return catalogue.get(given.survey) if given.metric is None else None
    if given.metric is None or given.invitation_id is not None:
        return None
    return _BY_METRIC.get(given.metric)


def _moment(answered_at: datetime | None, now: datetime) -> datetime | None:
    if answered_at is None:
        return now
    if answered_at.tzinfo is not UTC or not EARLIEST <= answered_at <= now + MOST_AHEAD:
        return None
    return answered_at


def _answers(given: _Given) -> Answers | None:
    comment = given.comment
    if comment is not None:
        if len(comment) > LONGEST_COMMENT:
            return None
        comment = clean_text(comment) or None
    reasons = given.reasons
    if len(reasons) > MOST_REASONS or not all(map(_is_word, reasons)):
        return None
    return Answers(score=given.score, reasons=tuple(dict.fromkeys(reasons)), comment=comment)


def _is_plain(given: _Plain) -> bool:
    segments = given.segments
    return (
        _is_id(given.id)
        and (given.invitation_id is None or _is_id(given.invitation_id))
        and (given.customer_id is None or _is_id(given.customer_id))
        and (given.touchpoint is None or _is_word(given.touchpoint))
        and (given.channel is None or _is_word(given.channel))
        and (given.language is None or is_language(given.language))
        and len(segments) <= MOST_SEGMENTS
        and all(map(_is_word, segments))
        and all(map(_is_word, segments.values()))
    )


def _is_id(text: str) -> bool:
    return text.isprintable() and len(text) <= LONGEST_ID and not text.isspace() and text != ""


@lru_cache(maxsize=16_384)
def _is_word(text: str) -> bool:
    """Whether a short text is already as cleaning would leave it."""
    return text != "" and clean_value(text) == text
