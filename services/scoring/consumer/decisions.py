"""Decisions as they come from Kafka, read strictly."""

import re
from hashlib import sha256
from typing import Final

import msgspec

from services.scoring.consumer.texts import check_moment, clean_segments, text_of
from services.scoring.domain.decisions import RANKS, Decision, stage_of
from shared.errors import Reason, Refused
from shared.events import SurveyDecision
from shared.stream.records import Record
from shared.wire import decode_record, decoder

_REMINDER: Final = "reminder"
_LONGEST: Final = {"event_id": 500, "source": 500, "trigger": 200, "survey": 200}
_MOST_SEGMENTS: Final = 100
_REASON: Final = re.compile(r"[a-z][a-z0-9-]{0,49}")
_DECISIONS = decoder(SurveyDecision)
_CONTENT = msgspec.json.Encoder(order="deterministic")


def read_decision(record: Record) -> Decision | None:
    """One decision; None for one on a reminder, which asks again about what was counted.

    Raises Refused.
    """
    told = decode_record(_DECISIONS, text_of(record))
    if told.event_type == _REMINDER:
        return None
    _check(told)
    named = told.customer_id is not None
    invited = told.invitation_id is not None
    stage = stage_of(told.decision, told.reason, invited=invited, named=named)
    segments = clean_segments(told.segments)
    event_time = check_moment("event_time", told.event_time)
    content = (told.survey, stage, told.reason, event_time, told.invitation_id, segments)
    return Decision(
        event_id=told.event_id,
        source=told.source,
        trigger=told.trigger or "",
        decided_at=check_moment("decided_at", told.decided_at),
        rank=RANKS[told.decision],
        digest=sha256(_CONTENT.encode(content)).hexdigest()[:8],
        survey=told.survey or "",
        stage=stage.value,
        reason=told.reason,
        event_time=event_time,
        invitation_id=told.invitation_id,
        segments=segments,
    )


def _check(told: SurveyDecision) -> None:
    if told.decision not in RANKS:
        detail = f"decision is none of {', '.join(RANKS)}"
        raise Refused(Reason.OUT_OF_RANGE, detail, "decision")
    if _REASON.fullmatch(told.reason) is None:
        detail = "reason is not a word such as not-sampled, of at most 50 characters"
        raise Refused(Reason.OUT_OF_RANGE, detail, "reason")
    if not told.event_id:
        raise Refused(Reason.OUT_OF_RANGE, "event_id is empty", "event_id")
    for name, longest in _LONGEST.items():
        if len(getattr(told, name) or "") > longest:
            raise Refused(Reason.TOO_LARGE, f"{name} is over {longest} characters", name)
    if len(told.segments) > _MOST_SEGMENTS:
        detail = f"segments has over {_MOST_SEGMENTS} entries"
        raise Refused(Reason.TOO_LARGE, detail, "segments")
