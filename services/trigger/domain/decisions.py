"""The one decision: whether an event asks its customer, and if not, why not.

`decide` is pure. Live, preview, backtest and plan call it with the facts and the clock of their
own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.trigger.domain.guards import Ask, Facts, why_not_ask
from services.trigger.domain.invitations import Invitation
from services.trigger.domain.occasions import Occasion, invitation_id, read_occasion
from services.trigger.domain.reasons import Reason, Verdict
from services.trigger.domain.words import mail_words
from shared.events import Event, EventRef
from shared.programme.models import Programme, Trigger
from shared.programme.views import EventView, event_view


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision on one event by one trigger; `trigger` is None where none listens."""

    event: EventRef
    customer_id: str | None
    subject_id: str
    touchpoint: str | None
    segments: Mapping[str, str]
    trigger: str | None
    survey: str | None
    verdict: Verdict
    reason: Reason
    invitation: Invitation | None
    decided_at: datetime
    programme: str


_VERDICTS = {Reason.ASKED: Verdict.INVITED, Reason.DELAYED: Verdict.SCHEDULED}


def decide(event: Event, facts: Facts, programme: Programme, now: datetime) -> list[Decision]:
    """One decision for each trigger that listens to the event, or one that says that none does.

    The same arguments give the same decisions. Raises Refused on an event that cannot be read.
    """
    occasion = read_occasion(event, programme.segments.paths)
    return list(decide_occasion(occasion, facts, programme, now))


def decide_occasion(
    occasion: Occasion, facts: Facts, programme: Programme, now: datetime
) -> Iterator[Decision]:
    """`decide` for an event that has been read already."""
    triggers = programme.triggers_of.get(occasion.event.type, ())
    if not triggers:
        yield _decision(occasion, None, Reason.NO_TRIGGER, None, (programme, now))
        return
    view = _view(occasion.event)
    asked = {known for known in candidates(occasion, programme) if known in facts.asked}
    for trigger in triggers:
        survey = programme.surveys[trigger.survey]
        ask = Ask(occasion, view, trigger, survey, facts, asked, now, programme)
        reason = why_not_ask(ask)
        invitation = None if reason else _invitation(ask)
        if invitation is not None:
            asked.add(invitation.id)
            reason = Reason.DELAYED if ask.send_at > now else Reason.ASKED
        yield _decision(occasion, trigger, reason or Reason.ASKED, invitation, (programme, now))


def candidates(occasion: Occasion, programme: Programme) -> list[str]:
    """Ids of the invitations that this occasion could make: what `Facts.asked` must know."""
    customer_id = occasion.customer_id
    if customer_id is None:
        return []
    triggers = programme.triggers_of.get(occasion.event.type, ())
    return [invitation_id(t.survey, customer_id, occasion.subject_id) for t in triggers]


def _decision(
    occasion: Occasion,
    trigger: Trigger | None,
    reason: Reason,
    invitation: Invitation | None,
    at: tuple[Programme, datetime],
) -> Decision:
    programme, now = at
    return Decision(
        event=_reference(occasion.event),
        customer_id=occasion.customer_id,
        subject_id=occasion.subject_id,
        touchpoint=occasion.touchpoint,
        segments=occasion.segments,
        trigger=trigger.key if trigger else None,
        survey=trigger.survey if trigger else None,
        verdict=_VERDICTS.get(reason, Verdict.SUPPRESSED),
        reason=reason,
        invitation=invitation,
        decided_at=now,
        programme=programme.digest,
    )


def _invitation(ask: Ask) -> Invitation:
    occasion, survey, customer = ask.occasion, ask.survey, ask.occasion.customer
    return Invitation(
        id=ask.invitation_id,
        survey=survey.key,
        kind=survey.kind,
        metric=survey.metric,
        scale=survey.scale,
        trigger=ask.trigger.key,
        customer_id=occasion.customer_id or "",
        subject_id=occasion.subject_id,
        touchpoint=occasion.touchpoint,
        event=_reference(occasion.event),
        segments=occasion.segments,
        words=mail_words(survey.mail, ask.view),
        channels=ask.open,
        language=ask.programme.language_for(customer.locale if customer else None),
        send_at=ask.send_at,
        expires_at=ask.expires_at,
        resend_on_doubt=survey.on_doubt == "resend",
    )


def _reference(event: Event) -> EventRef:
    return EventRef(source=event.source, id=event.id, type=event.type, time=event.time)


def _view(event: Event) -> EventView:
    envelope = {
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "time": event.time,
        "subject": event.subject,
    }
    return event_view(envelope, event.data)
