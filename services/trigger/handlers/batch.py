"""What happens on a batch: opt-outs are taken, and events become decisions and invitations."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from services.trigger.domain.customers import Customer, looks_like_contact
from services.trigger.domain.decisions import Decision, candidates, decide_occasion
from services.trigger.domain.guards import Facts
from services.trigger.domain.invitations import Invitation
from services.trigger.domain.occasions import Occasion
from services.trigger.domain.records import survey_decision
from services.trigger.domain.suppressions import EVERY_CHANNEL, Ground, Suppression
from services.trigger.metrics import CONTACT_LIKE_IDS, DECISIONS, DUPLICATES, UNKNOWN_OPTOUTS
from shared.events import SurveyDecision, SurveyOptout
from shared.programme.models import Programme

_log = structlog.get_logger()

EventKey = tuple[str, str]
Publish = Callable[[Sequence[SurveyDecision]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event that came, and the trace that it came with."""

    occasion: Occasion
    traceparent: str | None = None

    @property
    def key(self) -> EventKey:
        return (self.occasion.event.source, self.occasion.event.id)


@dataclass(frozen=True, slots=True)
class Booking:
    """An invitation to be stored, with whom to ask and the trace that it belongs to."""

    invitation: Invitation
    customer: Customer
    seen_at: datetime
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Desk:
    """What decisions are made with, beside the facts."""

    programme: Programme
    channels: AbstractSet[str]
    now: datetime


class Ledger(Protocol):
    """What the handlers need remembered. Every call shares the caller's transaction."""

    async def lock(self, customers: Sequence[str], now: datetime) -> None:
        """Hold these customers until the transaction ends; called first, ids sorted."""
        ...

    async def remember(self, events: Sequence[EventKey], now: datetime) -> AbstractSet[EventKey]:
        """Keep these events; return those that had not come before."""
        ...

    async def asked(self, invitations: Sequence[str]) -> AbstractSet[str]:
        """Which of these invitations exist."""
        ...

    async def suppressed(self, customers: Sequence[str]) -> Mapping[str, AbstractSet[str]]:
        """The channels that must not be used, of each customer who has any."""
        ...

    async def book(self, bookings: Sequence[Booking], now: datetime) -> None:
        """Store invitations, and how their customers are reached."""
        ...

    async def record(self, decisions: Sequence[Decision]) -> None:
        """Store decisions; one on the same event by the same trigger stays as it is."""
        ...

    async def customers_of(self, invitations: Sequence[str]) -> Mapping[str, str]:
        """The customer of each invitation that exists."""
        ...

    async def suppress(self, suppressions: Sequence[Suppression]) -> None:
        """Store suppressions and take their channels from what is scheduled."""
        ...


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
