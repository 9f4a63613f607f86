"""What happens on a batch: opt-outs are taken, and events become decisions and invitations."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog

from services.trigger.domain.customers import looks_like_contact
from services.trigger.domain.decisions import (
    Decision,
    nobody_listens,
    questions_of,
    why_not_by_event,
)
from services.trigger.domain.facts import Facts
from services.trigger.domain.memory import Memory
from services.trigger.domain.questions import Question
from services.trigger.domain.records import survey_decision
from services.trigger.domain.suppressions import Ground, Suppression
from services.trigger.handlers.deciding import bookings_of, count, decide_in_order, wanted_by
from services.trigger.handlers.ledger import Arrival, Cancel, Desk, Ledger, Publish
from services.trigger.metrics import CONTACT_LIKE_IDS, DUPLICATES, UNKNOWN_OPTOUTS
from shared.events import SurveyOptout

_log = structlog.get_logger()


async def on_batch(
    arrivals: Sequence[Arrival],
    optouts: Sequence[SurveyOptout],
    ledger: Ledger,
    publish: Publish,
    desk: Desk,
) -> None:
    """Take the opt-outs, then decide on each event that has not come before, in their order.

    Customers are locked before anything else is read, so that two batches never ask one customer
    twice. What is decided is acknowledged by Kafka when this returns.
    """
    by_key = {arrival.key: arrival for arrival in arrivals}
    owners = await ledger.customers_of(sorted({optout.invitation_id for optout in optouts}))
    customers = {c for a in by_key.values() if (c := a.occasion.customer_id) is not None}
    named, alone = customers | set(owners.values()), _cancels_for_nobody(arrivals, desk)
    await ledger.lock(sorted(named), desk.now, alone=alone)
    await _take_optouts(optouts, owners, ledger)
    fresh = await ledger.remember([by_key[key] for key in sorted(by_key)], desk)
    DUPLICATES.inc(len(arrivals) - len(fresh))
    new = [arrival for key, arrival in by_key.items() if key in fresh]
    if new:
        _warn_of_contact(new)
        await _decide_all(new, ledger, publish, desk)


async def _take_optouts(
    optouts: Sequence[SurveyOptout], owners: Mapping[str, str], ledger: Ledger
) -> None:
    unknown = [optout for optout in optouts if optout.invitation_id not in owners]
    if unknown:
        UNKNOWN_OPTOUTS.inc(len(unknown))
        _log.warning("opt-out of an unknown invitation", invitation=unknown[0].invitation_id)
    known = [
        Suppression(owners[optout.invitation_id], optout.channels, Ground.OPTED_OUT, optout.at)
        for optout in optouts
        if optout.invitation_id in owners
    ]
    if known:
        await ledger.suppress(known)


async def _decide_all(
    arrivals: Sequence[Arrival], ledger: Ledger, publish: Publish, desk: Desk
) -> None:
    cancels = [cancel for arrival in arrivals for cancel in _cancels(arrival, desk)]
    if cancels:
        await ledger.cancel(cancels)
    found = [question for arrival in arrivals for question in _questions(arrival, desk)]
    questions = sorted(found, key=lambda question: question.place(desk.programme))
    bare = Facts(desk.channels)
    objections = (why_not_by_event(q, bare, desk.programme, desk.now) for q in questions)
    objecting = {place: reason for place, reason in enumerate(objections) if reason is not None}
    hopeful = [q for place, q in enumerate(questions) if place not in objecting]
    customers = sorted({c for a in arrivals if (c := a.occasion.customer_id) is not None})
    wanted = replace(wanted_by(questions, hopeful, desk), customers=customers)
    memory = await ledger.recall(wanted, desk)
    decisions = decide_in_order(questions, memory, desk, objecting)
    unheard = _unheard(arrivals, memory, desk)
    await _store(questions, decisions, unheard, ledger, desk)
    await publish([survey_decision(decision) for decision in (*decisions, *unheard)])
    count([*decisions, *unheard])


async def _store(
    questions: Sequence[Question],
    decisions: Sequence[Decision],
    unheard: Sequence[Decision],
    ledger: Ledger,
    desk: Desk,
) -> None:
    both = zip(questions, decisions, strict=True)
    await ledger.wait([q for q, decision in both if decision.waits], desk.programme)
    await ledger.book(bookings_of(questions, decisions), desk)
    await ledger.record([*decisions, *unheard])


def _questions(arrival: Arrival, desk: Desk) -> list[Question]:
    moments = (desk.now, desk.now)
    return questions_of(arrival.occasion, desk.programme, *moments, arrival.traceparent)


def _unheard(arrivals: Sequence[Arrival], memory: Memory, desk: Desk) -> list[Decision]:
    programme, occasions = desk.programme, [arrival.occasion for arrival in arrivals]
    unheard = [each for each in occasions if each.event.type not in programme.triggers_of]
    known = [Facts(desk.channels, suppressed=memory.closed(o.customer_id or "")) for o in unheard]
    both = zip(unheard, known, strict=True)
    return [nobody_listens(occasion, facts, programme, desk.now) for occasion, facts in both]


def _cancels(arrival: Arrival, desk: Desk) -> list[Cancel]:
    occasion = arrival.occasion
    event = occasion.event
    return [
        Cancel(trigger, occasion.subject_id, occasion.customer_id or "", event.type, event.time)
        for trigger in desk.programme.cancelled_by.get(event.type, ())
    ]


def _cancels_for_nobody(arrivals: Sequence[Arrival], desk: Desk) -> bool:
    """Whether something is cancelled by an event that names nobody: there is nobody to lock."""
    kinds = desk.programme.cancelled_by
    nameless = (a.occasion.event.type for a in arrivals if a.occasion.customer is None)
    return any(kind in kinds for kind in nameless)


def _warn_of_contact(arrivals: Sequence[Arrival]) -> None:
    exposed = [
        arrival.occasion.event.source
        for arrival in arrivals
        if looks_like_contact(arrival.occasion.customer_id or "")
    ]
    if exposed:
        CONTACT_LIKE_IDS.inc(len(exposed))
        _log.warning("customer ids look like contact data", sources=sorted(set(exposed))[:5])
