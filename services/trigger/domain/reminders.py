"""Reminders: when a customer who has not answered is asked again, and why not."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from services.trigger.domain.because import because_of_reminder
from services.trigger.domain.caps import History, full
from services.trigger.domain.decisions import Decision
from services.trigger.domain.facts import Facts, PastAsk
from services.trigger.domain.hours import opens_for
from services.trigger.domain.invitations import Invitation
from services.trigger.domain.occasions import OWN_SOURCE
from services.trigger.domain.reasons import Reason, Verdict
from shared.events import EventRef
from shared.programme.asking import Cap
from shared.programme.models import Programme

EVENT_TYPE: Final = "reminder"
_VERDICTS: Final = {Reason.ASKED: Verdict.INVITED, Reason.QUIET_HOURS: Verdict.SCHEDULED}


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A letter that was sent, an invitation or a reminder, after which the next reminder is due.

    `answered`: whether an answer has come meanwhile.
    """

    invitation: Invitation
    due_at: datetime
    answered: bool
    traceparent: str | None = None


def wants_reminder(invitation: Invitation, programme: Programme) -> bool:
    """Whether the programme has another reminder after this letter."""
    return invitation.reminder < _most(invitation, programme)


def remind_at(invitation: Invitation, programme: Programme, sent_at: datetime) -> datetime | None:
    """When the next reminder is due after a letter that was sent; None where there is none."""
    survey = programme.surveys.get(invitation.survey)
    if survey is None or survey.reminders is None or not wants_reminder(invitation, programme):
        return None
    due = sent_at + survey.reminders.after
    return due if due < invitation.expires_at else None


def reminder_id(invitation: Invitation) -> str:
    """The id of the reminder that follows a letter."""
    return f"{invitation.question_id}-r{invitation.reminder + 1}"


def decide_reminder(
    last: Unanswered, facts: Facts, programme: Programme, now: datetime
) -> Decision:
    """Whether the customer is reminded, by the channel that was used; the one reason why not.

    The same arguments give the same decision.
    """
    sent = last.invitation
    next_letter = replace(
        sent,
        id=reminder_id(sent),
        channels=(sent.channels[0],),
        send_at=opens_for(sent, programme, now),
        reminder_of=sent.question_id,
        reminder=sent.reminder + 1,
    )
    cap = None
    objection = _why_not(last, next_letter, facts, programme)
    if objection is None and (cap := _full_cap(next_letter, facts, programme)):
        objection = Reason.TOO_MANY_FOR_GROUP if cap.of_group else Reason.TOO_MANY_RECENTLY
    waits = next_letter.send_at > now
    reason = objection or (Reason.QUIET_HOURS if waits else Reason.ASKED)
    return Decision(
        event=EventRef(source=OWN_SOURCE, id=next_letter.id, type=EVENT_TYPE, time=last.due_at),
        customer_id=sent.customer_id,
        subject_id=sent.subject_id,
        touchpoint=sent.touchpoint,
        segments=sent.segments,
        trigger=sent.trigger,
        survey=sent.survey,
        verdict=_VERDICTS.get(reason, Verdict.SUPPRESSED),
        reason=reason,
        invitation=None if objection else next_letter,
        invitation_id=None if objection else next_letter.id,
        decided_at=now,
        programme=programme.digest,
        facts={"why": because_of_reminder(next_letter, _most(sent, programme), reason, cap)},
    )


def _most(letter: Invitation, programme: Programme) -> int:
    """How many reminders the programme has for a survey."""
    survey = programme.surveys.get(letter.survey)
    return survey.reminders.most if survey is not None and survey.reminders is not None else 0


def _why_not(
    last: Unanswered, reminder: Invitation, facts: Facts, programme: Programme
) -> Reason | None:
    objections = {
        Reason.ANSWERED: last.answered,
        Reason.CANCELLED_BY_EVENT: _cancelled(reminder, facts, programme),
        Reason.EXPIRED: reminder.send_at >= reminder.expires_at,
        Reason.NO_CONTACT: reminder.channels[0] not in facts.channels,
        Reason.NO_CONSENT: _refused(reminder, facts, programme),
        Reason.OPTED_OUT: reminder.channels[0] in facts.suppressed,
    }
    return next((reason for reason, stands in objections.items() if stands), None)


def _cancelled(reminder: Invitation, facts: Facts, programme: Programme) -> bool:
    trigger = programme.triggers.get(reminder.trigger)
    kinds = () if trigger is None else trigger.cancel_on
    began = reminder.event.time
    return any(c.event_type in kinds and c.at >= began for c in facts.cancelling)


def _refused(reminder: Invitation, facts: Facts, programme: Programme) -> bool:
    channel = reminder.channels[0]
    said = facts.consent.get(channel)
    if said is not None:
        return not said.yes
    return channel in programme.consent_required and reminder.basis != "consent"


def _full_cap(reminder: Invitation, facts: Facts, programme: Programme) -> Cap | None:
    asking = PastAsk(
        invitation_id=reminder.id,
        survey=reminder.survey,
        trigger=reminder.trigger,
        channel=reminder.channels[0],
        segments=reminder.segments,
        at=reminder.send_at,
    )
    history = History(facts.asks, facts.groups)
    caps = sorted(programme.caps, key=lambda cap: cap.of_group)
    return next((cap for cap in caps if full(cap, asking, history)), None)
