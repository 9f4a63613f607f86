"""What happens on a batch: opt-outs are taken, and events become decisions and invitations."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

import structlog

from services.trigger.domain.customers import looks_like_contact
from services.trigger.domain.decisions import Decision, candidates, decide_occasion
from services.trigger.domain.guards import Facts
from services.trigger.domain.records import survey_decision
from services.trigger.domain.suppressions import EVERY_CHANNEL, Ground, Suppression
from services.trigger.handlers.ledger import Arrival, Booking, Desk, Ledger, Publish
from services.trigger.metrics import CONTACT_LIKE_IDS, DECISIONS, DUPLICATES, UNKNOWN_OPTOUTS
from shared.events import SurveyOptout

_log = structlog.get_logger()


async def on_batch(
    arrivals: Sequence[Arrival],
    optouts: Sequence[SurveyOptout],
    ledger: Ledger,
    publish: Publish,
    desk: Desk,
) -> None:
    """Take the opt-outs, then decide on each event that has not come before, by their times.

    Customers are locked before anything else is read, so that two batches never ask one customer
    twice. What is decided is acknowledged by Kafka when this returns.
    """
    by_key = {arrival.key: arrival for arrival in arrivals}
    owners = await ledger.customers_of(sorted({optout.invitation_id for optout in optouts}))
    customers = {c for a in by_key.values() if (c := a.occasion.customer_id) is not None}
    await ledger.lock(sorted(customers | set(owners.values())), desk.now)
    await _take_optouts(optouts, owners, ledger)
    fresh = await ledger.remember(sorted(by_key), desk.now)
    DUPLICATES.inc(len(arrivals) - len(fresh))
    new = sorted((by_key[key] for key in fresh), key=_order)
    if new:
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
    wanted = {i for a in arrivals for i in candidates(a.occasion, desk.programme)}
    asked = set(await ledger.asked(sorted(wanted)))
    customers = {c for a in arrivals if (c := a.occasion.customer_id) is not None}
    suppressed = await ledger.suppressed(sorted(customers))
    decisions: list[Decision] = []
    bookings: list[Booking] = []
    for arrival in arrivals:
        closed = suppressed.get(arrival.occasion.customer_id or "", frozenset())
        made = _decide(arrival, asked, closed, desk)
        decisions += made
        bookings += _bookings(arrival, made)
        asked |= {d.invitation.id for d in made if d.invitation is not None}
    await ledger.book(bookings, desk.now)
    await ledger.record(decisions)
    await publish([survey_decision(decision) for decision in decisions])
    _count(arrivals, decisions)


def _order(arrival: Arrival) -> tuple[datetime, str, str]:
    event = arrival.occasion.event
    return (event.time, event.source, event.id)


def _decide(
    arrival: Arrival,
    asked: AbstractSet[str],
    suppressed: AbstractSet[str],
    desk: Desk,
) -> list[Decision]:
    closed = desk.channels if EVERY_CHANNEL in suppressed else suppressed
    facts = Facts(channels=desk.channels, asked=asked, suppressed=closed)
    return list(decide_occasion(arrival.occasion, facts, desk.programme, desk.now))


def _bookings(arrival: Arrival, decisions: Sequence[Decision]) -> Iterator[Booking]:
    customer, event = arrival.occasion.customer, arrival.occasion.event
    for decision in decisions:
        if decision.invitation is not None and customer is not None:
            yield Booking(decision.invitation, customer, event.time, arrival.traceparent)


def _count(arrivals: Sequence[Arrival], decisions: Sequence[Decision]) -> None:
    counts: dict[tuple[str, str, str], int] = defaultdict(int)
    for decision in decisions:
        counts[(decision.trigger or "", decision.verdict, decision.reason)] += 1
    for labels, number in counts.items():
        DECISIONS.labels(*labels).inc(number)
    exposed = [
        arrival.occasion.event.source
        for arrival in arrivals
        if looks_like_contact(arrival.occasion.customer_id or "")
    ]
    if exposed:
        CONTACT_LIKE_IDS.inc(len(exposed))
        _log.warning("customer ids look like contact data", sources=sorted(set(exposed))[:5])
