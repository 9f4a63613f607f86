"""Questions are decided one after the other, in their order, each knowing the ones before."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from services.trigger.domain.decisions import Decision, decide_question, shared_by
from services.trigger.domain.guards import BY_FACTS, GUARDS
from services.trigger.domain.memory import Memory, segment_of
from services.trigger.domain.questions import Question
from services.trigger.domain.reasons import Reason
from services.trigger.handlers.ledger import Booking, Desk, Wanted
from services.trigger.metrics import DECISIONS


def wanted_by(questions: Sequence[Question], hopeful: Sequence[Question], desk: Desk) -> Wanted:
    """What has to be known: of most customers only whether they opted out, of the rest all."""
    limited = desk.programme.group_dimensions
    programme, now = desk.programme, desk.now
    ripe = [question for question in hopeful if question.due_at(programme) <= now]
    segments = [question.occasion.segments for question in ripe]
    groups = {(name, found[name]) for found in segments for name in limited & set(found)}
    return Wanted(
        customers=_ids(question.occasion.customer_id for question in questions),
        askable=_ids(question.occasion.customer_id for question in hopeful),
        invitations=_ids(question.invitation_id for question in hopeful),
        subjects=_ids(question.occasion.subject_id for question in hopeful),
        groups=sorted(groups),
        segments={segment_of(q) for q in hopeful if q.trigger.target_margin is not None},
    )


def decide_in_order(
    questions: Sequence[Question],
    memory: Memory,
    desk: Desk,
    objecting: Mapping[int, Reason] | None = None,
) -> list[Decision]:
    """The decisions, in the order of the questions.

    `objecting`: what the events alone were found to object to, by the place of the question.
    """
    guards = GUARDS if objecting is None else BY_FACTS
    decisions = []
    for place, question in enumerate(questions):
        decision = decide_question(
            question,
            memory.facts(question),
            desk.programme,
            desk.now,
            objecting=objecting.get(place) if objecting else None,
            guards=guards,
        )
        memory.note(decision, desk.programme)
        decisions.append(decision)
    return decisions


def with_merged(questions: Sequence[Question], decisions: Sequence[Decision]) -> list[Decision]:
    """These and the decisions on the events that settled into theirs."""
    pairs = zip(questions, decisions, strict=True)
    return [one for q, decision in pairs for one in (decision, *shared_by(q, decision))]


def bookings_of(questions: Sequence[Question], decisions: Sequence[Decision]) -> list[Booking]:
    """The invitations that were decided, each with the trace of its event."""
    return [
        Booking(decision.invitation, question.traceparent)
        for question, decision in zip(questions, decisions, strict=True)
        if decision.invitation is not None
    ]


def count(decisions: Sequence[Decision]) -> None:
    """Count them by trigger, verdict and reason."""
    labels = Counter((d.trigger or "", d.verdict, d.reason) for d in decisions)
    for names, number in labels.items():
        DECISIONS.labels(*names).inc(number)


def _ids(names: Iterable[str | None]) -> list[str]:
    return sorted({name for name in names if name is not None})
