"""The one decision: whether an event asks its customer, and if not, why not.

`decide` is pure. Live, preview, backtest and plan call it with the facts and the clock of their
own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from services.trigger.domain.asks import Ask
from services.trigger.domain.facts import Facts, PastAsk
from services.trigger.domain.guards import BY_EVENT, GUARDS, Guard, why_not_ask
from services.trigger.domain.invitations import Invitation
from services.trigger.domain.inviting import invite
from services.trigger.domain.kept import keep, keep_suppressed
from services.trigger.domain.occasions import Occasion, read_occasion
from services.trigger.domain.questions import Question
from services.trigger.domain.reasons import Reason, Verdict
from shared.events import Event, EventRef
from shared.programme.models import Programme


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision on one event by one trigger; `trigger` is None where none listens.

    `invitation` stands only in one that asks; `invitation_id` also in one that waits.
    """

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
    invitation_id: str | None
    decided_at: datetime
    programme: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """Why, for a person to read."""
        return self.reason.with_words(self.facts.get("why", ""))

    @property
    def waits(self) -> bool:
        """Whether it has to be decided again."""
        return self.verdict is Verdict.SCHEDULED and self.invitation is None

    @property
    def asking(self) -> PastAsk | None:
        """What the caps count from now on; None where nobody is asked."""
        invitation = self.invitation
        if invitation is None:
            return None
        return PastAsk(
            invitation_id=invitation.id,
            survey=invitation.survey,
            trigger=invitation.trigger,
            channel=invitation.channels[0],
            segments=invitation.segments,
            at=invitation.send_at,
            more=tuple(invitation.channels[1:]),
        )


_VERDICTS = {
    Reason.ASKED: Verdict.INVITED,
    Reason.DELAYED: Verdict.SCHEDULED,
    Reason.SETTLING: Verdict.SCHEDULED,
    Reason.QUIET_HOURS: Verdict.SCHEDULED,
}


def decide(event: Event, facts: Facts, programme: Programme, now: datetime) -> list[Decision]:
    """One decision for each trigger that listens to the event, or one that says that none does.

    The same arguments give the same decisions. Raises Refused on an event that cannot be read.
    """
    occasion = read_occasion(event, programme.segments.paths)
    heard_at = facts.heard_at or now
    found = questions_of(occasion, programme, heard_at, facts.settled_from or heard_at)
    decisions: list[Decision] = []
    for question in found:
        decision = decide_question(question, facts, programme, now)
        decisions.append(decision)
        if decision.asking is not None:
            facts = facts.after(decision.asking, programme.group_dimensions)
    return decisions or [nobody_listens(occasion, facts, programme, now)]


def questions_of(
    occasion: Occasion,
    programme: Programme,
    heard_at: datetime,
    settled_from: datetime,
    traceparent: str | None = None,
) -> list[Question]:
    """The question of each trigger that listens, in the order of the file."""
    triggers = programme.triggers_of.get(occasion.event.type, ())
    moments = (heard_at, settled_from)
    return [Question(occasion, trigger, *moments, traceparent) for trigger in triggers]


def nobody_listens(
    occasion: Occasion, facts: Facts, programme: Programme, now: datetime
) -> Decision:
    """The decision on an event that no trigger listens to."""
    return Decision(
        event=_reference(occasion.event),
        customer_id=occasion.customer_id,
        subject_id=occasion.subject_id,
        touchpoint=occasion.touchpoint,
        segments=occasion.segments,
        trigger=None,
        survey=None,
        verdict=Verdict.SUPPRESSED,
        reason=Reason.NO_TRIGGER,
        invitation=None,
        invitation_id=None,
        decided_at=now,
        programme=programme.digest,
        facts=keep_suppressed(facts),
    )


def decide_question(
    question: Question,
    facts: Facts,
    programme: Programme,
    now: datetime,
    *,
    objecting: Reason | None = None,
    guards: Sequence[Guard] = GUARDS,
) -> Decision:
    """`decide` for one trigger, on an event that has been read already.

    `objecting` is what `why_not_by_event` found, to be believed; where that was asked and found
    nothing, `BY_FACTS` are the guards that are left.
    """
    ask = Ask(question, facts, now, programme)
    return _decision(ask, objecting or why_not_ask(ask, guards))


def why_not_by_event(
    question: Question, facts: Facts, programme: Programme, now: datetime
) -> Reason | None:
    """The objection that needs nothing but the event, the channels and the clock, if there is one.

    Where there is one, no further facts are looked up.
    """
    return why_not_ask(Ask(question, facts, now, programme), BY_EVENT)


def shared_by(question: Question, decision: Decision) -> list[Decision]:
    """The decisions on the events that settled into a question: one of them asks, not all."""
    if decision.invitation is not None:
        decision = replace(
            decision,
            verdict=Verdict.SUPPRESSED,
            reason=Reason.ASKED_ALREADY,
            invitation=None,
            invitation_id=None,
            facts={name: fact for name, fact in decision.facts.items() if name != "why"},
        )
    return [replace(decision, event=_reference(event)) for event in question.merged]


def _decision(ask: Ask, objecting: Reason | None) -> Decision:
    occasion, now = ask.occasion, ask.now
    invitation = None if objecting else invite(ask)
    reason = objecting or (Reason.QUIET_HOURS if ask.send_at > now else Reason.ASKED)
    verdict = _VERDICTS.get(reason, Verdict.SUPPRESSED)
    return Decision(
        event=_reference(occasion.event),
        customer_id=occasion.customer_id,
        subject_id=occasion.subject_id,
        touchpoint=occasion.touchpoint,
        segments=occasion.segments,
        trigger=ask.trigger.key,
        survey=ask.trigger.survey,
        verdict=verdict,
        reason=reason,
        invitation=invitation,
        invitation_id=None if verdict is Verdict.SUPPRESSED else ask.question.invitation_id,
        decided_at=now,
        programme=ask.programme.digest,
        facts=keep(ask, reason),
    )


def _reference(event: Event) -> EventRef:
    return EventRef(source=event.source, id=event.id, type=event.type, time=event.time)
