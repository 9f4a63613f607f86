"""Decisions as others see them."""

from services.trigger.domain.decisions import Decision
from shared.events import SurveyDecision


def survey_decision(decision: Decision, *, preview: bool = False) -> SurveyDecision:
    """The record of `survey-decisions`; a preview names no invitation, for there is none."""
    return SurveyDecision(
        source=decision.event.source,
        event_id=decision.event.id,
        event_type=decision.event.type,
        event_time=decision.event.time,
        event=decision.event,
        customer_id=decision.customer_id,
        subject_id=decision.subject_id,
        trigger=decision.trigger,
        survey=decision.survey,
        decision=decision.verdict,
        reason=decision.reason,
        sentence=decision.sentence,
        invitation_id=None if preview else decision.invitation_id,
        decided_at=decision.decided_at,
        programme=decision.programme,
        touchpoint=decision.touchpoint,
        segments=dict(decision.segments),
    )
