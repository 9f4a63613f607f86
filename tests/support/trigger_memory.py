"""Trigger's ledger in memory: what the handlers need remembered, in dictionaries."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime

from services.trigger.domain.decisions import Decision
from services.trigger.domain.facts import Cancelling, PastAsk, Said, said_at
from services.trigger.domain.invitations import Invitation
from services.trigger.domain.memory import Group, Memory
from services.trigger.domain.occasions import Occasion
from services.trigger.domain.questions import Question
from services.trigger.domain.suppressions import Suppression
from services.trigger.handlers import Arrival, Booking, Cancel, Desk, EventKey, Waiting, Wanted
from shared.programme.models import Programme


class MemoryLedger:
    """`handlers.Ledger` in dictionaries; passes the contract tests of the real one.

    Nothing leaves it: what is booked and not cancelled stays scheduled.
    """

    def __init__(self) -> None:
        self.events: set[EventKey] = set()
        self.invitations: dict[str, Invitation] = {}
        self.cancelled: set[str] = set()
        self.decisions: dict[tuple[str, str, str], Decision] = {}
        self.closed: dict[str, set[str]] = defaultdict(set)
        self.said: dict[str, dict[str, Said]] = defaultdict(dict)
        self.cancelling: dict[Group, list[Cancelling]] = defaultdict(list)
        self.waiting: dict[tuple[str, str, str], Waiting] = {}
        self.locked: list[str] = []

    async def lock(self, customers: Sequence[str], now: datetime, *, alone: bool = False) -> None:
        assert list(customers) == sorted(set(customers))
        self.locked += customers

    async def remember(self, arrivals: Sequence[Arrival], desk: Desk) -> AbstractSet[EventKey]:
        fresh = {arrival.key for arrival in arrivals} - self.events
        self.events |= fresh
        for arrival in arrivals:
            if arrival.key in fresh:
                self._hear(arrival.occasion, desk.now)
        return fresh

    def _hear(self, occasion: Occasion, now: datetime) -> None:
        customer, at = occasion.customer, said_at(occasion.event.time, now)
        for channel, yes in (customer.consent if customer else {}).items():
            known = self.said[customer.id if customer else ""]
            before = known.get(channel)
            if before is None or (at, not yes) > (before.at, not before.yes):
                known[channel] = Said(yes, at)

    async def cancel(self, cancels: Sequence[Cancel]) -> None:
        for cancel in cancels:
            about = self.cancelling[cancel.subject_id, cancel.customer_id]
            about.append(Cancelling(cancel.event_type, cancel.at))
            hit = (i.id for i in self.invitations.values() if _hits(cancel, i))
            self.cancelled.update(hit)

    async def recall(self, wanted: Wanted, desk: Desk) -> Memory:
        assert list(wanted.groups) == sorted(set(wanted.groups))
        memory = Memory(channels=desk.channels, asked=set(self.invitations))
        for owner in wanted.customers:
            memory.suppressed[owner] |= self.closed.get(owner, set())
            memory.consents[owner] |= self.said.get(owner, {})
        for key, found in self.cancelling.items():
            memory.cancelling[key] += found
        for invitation in self.invitations.values():
            if invitation.id in self.cancelled:
                continue
            ask = past_ask(invitation)
            ask = replace(ask, at=max(ask.at, desk.now))
            memory.asks[invitation.customer_id].append(ask)
            for dimension in desk.programme.group_dimensions & set(ask.segments):
                memory.groups[dimension, ask.segments[dimension]].append(ask)
        return memory

    async def book(self, bookings: Sequence[Booking], desk: Desk) -> None:
        for booking in bookings:
            self.invitations.setdefault(booking.invitation.id, booking.invitation)

    async def record(self, decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            self.decisions.setdefault(_key(decision), decision)

    async def conclude(self, decisions: Sequence[Decision]) -> None:
        self.decisions |= {_key(decision): decision for decision in decisions}

    async def wait(self, questions: Sequence[Question], programme: Programme) -> None:
        for q in questions:
            event, subject_id = q.occasion.event, q.occasion.subject_id
            times = (q.heard_at, q.turn_at(programme), q.due_at(programme))
            waiting = Waiting(q.trigger.key, event, subject_id, *times, q.traceparent)
            self.waiting[waiting.key] = waiting

    async def take_due(self, most: int, now: datetime) -> Sequence[Waiting]:
        due = any(each.due_at <= now for each in self.waiting.values())
        return list(self.waiting.values()) if due else []

    async def postpone(self, waiting: Sequence[Waiting]) -> None:
        self.waiting |= {each.key: each for each in waiting}

    async def forget(self, waiting: Sequence[Waiting]) -> None:
        for each in waiting:
            del self.waiting[each.key]

    async def customers_of(self, invitations: Sequence[str]) -> Mapping[str, str]:
        known = self.invitations
        return {i: known[i].customer_id for i in invitations if i in known}

    async def suppress(self, suppressions: Sequence[Suppression]) -> None:
        for suppression in suppressions:
            self.closed[suppression.customer_id] |= set(suppression.rows)


def past_ask(invitation: Invitation) -> PastAsk:
    """An invitation, as the caps count it."""
    i = invitation
    present, *more = i.channels
    return PastAsk(i.id, i.survey, i.trigger, present, i.segments, i.send_at, tuple(more))


def _hits(cancel: Cancel, invitation: Invitation) -> bool:
    about = (invitation.trigger, invitation.subject_id) == (cancel.trigger, cancel.subject_id)
    whose = cancel.customer_id in {"", invitation.customer_id}
    return about and whose and invitation.event.time <= cancel.at


def _key(decision: Decision) -> tuple[str, str, str]:
    return (decision.event.id, decision.event.source, decision.trigger or "")
