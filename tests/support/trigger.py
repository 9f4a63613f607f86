"""Events, programmes and a ledger in memory for trigger's tests."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from services.trigger.domain.decisions import Decision
from services.trigger.domain.facts import Cancelling, PastAsk, Said
from services.trigger.domain.invitations import Invitation
from services.trigger.domain.letters import Letter
from services.trigger.domain.memory import Memory
from services.trigger.domain.occasions import Occasion, read_occasion
from services.trigger.domain.questions import Question
from services.trigger.domain.suppressions import Suppression
from services.trigger.handlers import Arrival, Booking, Cancel, Desk, EventKey, Waiting, Wanted
from services.trigger.pages.links import Links
from services.trigger.pages.mail import Desk as MailDesk
from shared.events import Event
from shared.programme.asking import QuietHours
from shared.programme.loading import load_programme
from shared.programme.models import Programme
from shared.senders import HandOver, SendFailed
from shared.tokens import Tokens

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NOON = QuietHours(time(12), time(14))  # by the clock in Berlin, where NOW is one o'clock
CHANNELS = frozenset({"email", "webhook"})
TOKENS = Tokens(["0123456789abcdef0123456789abcdef"])


@cache
def shipped() -> Programme:
    return load_programme(ROOT / "programme")


def programme(*, trigger: Mapping[str, Any] | None = None, **changes: Any) -> Programme:
    """The shipped programme; `trigger` changes after-call, the rest the programme itself."""
    base = shipped()
    fields = {name: getattr(base, name) for name in Programme.model_fields}
    if trigger:
        after_call = base.triggers["after-call"].model_copy(update=dict(trigger))
        fields["triggers"] = {**base.triggers, "after-call": after_call}
    return Programme(**{**fields, **changes})


def postponed() -> dict[str, Any]:
    """Changes of a programme by which a call at NOW is asked about an hour later."""
    return asking(quiet_hours=NOON)


def asking(**changes: Any) -> dict[str, Any]:
    """Changes of a programme by which its survey about calls is another."""
    surveys = shipped().surveys
    return {"surveys": {**surveys, "post-call": surveys["post-call"].model_copy(update=changes)}}


def call_ended(number: int = 1, *, at: datetime = NOW, **data: Any) -> Event:
    """A call that `after-call` asks about; keyword arguments change parts of its data."""
    contents: dict[str, Any] = {
        "customer": {
            "id": "c-1",
            "email": "ann@example.org",
            "locale": "de-DE",
            "consent": {"email": True},
        },
        "call": {"id": f"call-{number}", "queue": "billing", "agent": "a-7", "talk_s": 120},
        "touchpoint": "support-call",
        "segments": {"region": "EU", "product": "shoes"},
    }
    for name, part in data.items():
        both = isinstance(part, dict) and isinstance(contents.get(name), dict)
        contents[name] = {**contents[name], **part} if both else part
    return Event(
        id=f"evt-{number}", source="/calls", type="support_call.ended", time=at, data=contents
    )


def arrival(event: Event, traceparent: str | None = None) -> Arrival:
    return Arrival(read_occasion(event, shipped().segments.paths), traceparent)


def mail_desk(**changes: Any) -> MailDesk:
    links = Links("http://127.0.0.1:8001", TOKENS)
    return MailDesk(programme(**changes), links, "feedback@shop.example")


class MemoryLedger:
    """`handlers.Ledger` in dictionaries; passes the contract tests of the real one."""

    def __init__(self) -> None:
        self.events: set[EventKey] = set()
        self.invitations: dict[str, Invitation] = {}
        self.cancelled: set[str] = set()
        self.decisions: dict[tuple[str, str, str], Decision] = {}
        self.closed: dict[str, set[str]] = defaultdict(set)
        self.said: dict[str, dict[str, Said]] = defaultdict(dict)
        self.cancelling: dict[tuple[str, str], list[Cancelling]] = defaultdict(list)
        self.waiting: dict[tuple[str, str, str], Waiting] = {}
        self.locked: list[str] = []

    async def lock(self, customers: Sequence[str], now: datetime) -> None:
        assert list(customers) == sorted(set(customers))
        self.locked += customers

    async def remember(self, arrivals: Sequence[Arrival], desk: Desk) -> AbstractSet[EventKey]:
        fresh = {arrival.key for arrival in arrivals} - self.events
        self.events |= fresh
        for arrival in arrivals:
            if arrival.key in fresh:
                self._hear(arrival.occasion)
        return fresh

    def _hear(self, occasion: Occasion) -> None:
        customer, at = occasion.customer, occasion.event.time
        for channel, yes in (customer.consent if customer else {}).items():
            known = self.said[customer.id if customer else ""]
            before = known.get(channel)
            if before is None or (at, not yes) > (before.at, not before.yes):
                known[channel] = Said(yes, at)

    async def cancel(self, cancels: Sequence[Cancel]) -> None:
        for cancel in cancels:
            about = self.cancelling[cancel.subject_id, cancel.customer_id]
            about.append(Cancelling(cancel.event_type, cancel.at))

    async def recall(self, wanted: Wanted, desk: Desk) -> Memory:
        memory = Memory(channels=desk.channels, asked=set(self.invitations))
        for owner in wanted.customers:
            memory.suppressed[owner] |= self.closed.get(owner, set())
            memory.consents[owner] |= self.said.get(owner, {})
        for key, found in self.cancelling.items():
            memory.cancelling[key] += found
        for invitation in self.invitations.values():
            ask = past_ask(invitation)
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
            due_at = q.due_at(programme)
            waiting = Waiting(q.trigger.key, event, subject_id, q.heard_at, due_at, q.traceparent)
            self.waiting[waiting.key] = waiting

    async def take_due(self, most: int, now: datetime) -> Sequence[Waiting]:
        return list(self.waiting.values())

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
    return PastAsk(i.id, i.survey, i.trigger, i.channels[0], i.segments, i.send_at)


def _key(decision: Decision) -> tuple[str, str, str]:
    return (decision.event.id, decision.event.source, decision.trigger or "")


class Recorder:
    """A courier that keeps what it is given, and fails as it is told.

    One that is not repeatable hands over as SMTP does.
    """

    def __init__(self, *, repeatable: bool = True, capacity: int = 64) -> None:
        self.repeatable = repeatable
        self.capacity = capacity
        self.letters: list[Letter] = []
        self.faults: list[Exception] = []
        self.answer: asyncio.Event | None = None  # what a send waits for, once it is handed over
        self._handed_over = asyncio.Event()

    async def send(self, letter: Letter, hand_over: HandOver) -> None:
        if not self.repeatable:
            await hand_over()
        self._handed_over.set()
        if self.answer is not None:
            await self.answer.wait()
        self.letters.append(letter)
        if self.faults:
            raise self.faults.pop(0)

    async def until_handed_over(self) -> None:
        await asyncio.wait_for(self._handed_over.wait(), 5)

    @property
    def ids(self) -> list[str]:
        return [letter.id for letter in self.letters]


def later(**spans: float) -> datetime:
    return NOW + timedelta(**spans)


def refused(*, permanent: bool) -> SendFailed:
    return SendFailed("refused", permanent=permanent)
