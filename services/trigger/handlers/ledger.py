"""What the handlers are given, and what they need remembered."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from services.trigger.domain.decisions import Decision
from services.trigger.domain.invitations import Invitation
from services.trigger.domain.memory import Group, Memory
from services.trigger.domain.occasions import Occasion
from services.trigger.domain.questions import Question
from services.trigger.domain.suppressions import Suppression
from shared.events import Event, SurveyDecision
from shared.programme.models import Programme

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
    """An invitation to be stored, and the trace that it belongs to."""

    invitation: Invitation
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Cancel:
    """An event after which a trigger's question about its subject is pointless.

    `customer_id` is empty where the event names nobody: then it holds for whoever was asked.
    """

    trigger: str
    subject_id: str
    customer_id: str
    event_type: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event that waits under a trigger to be decided, and when that is planned and due."""

    trigger: str
    event: Event
    subject_id: str
    heard_at: datetime
    planned_at: datetime
    due_at: datetime
    traceparent: str | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.trigger, self.event.source, self.event.id)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What has to be known to decide some questions.

    `customers`: all whose opt-outs are to be known; `askable`: those of them who may be asked.
    """

    customers: Sequence[str]
    askable: Sequence[str]
    invitations: Sequence[str]
    subjects: Sequence[str]
    groups: Sequence[Group]
    segments: AbstractSet[Group] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Desk:
    """What decisions are made with, beside the facts."""

    programme: Programme
    channels: AbstractSet[str]
    now: datetime


class Ledger(Protocol):
    """What the handlers need remembered. Every call shares the caller's transaction."""

    async def lock(self, customers: Sequence[str], now: datetime, *, alone: bool = False) -> None:
        """Hold these customers until the transaction ends; called first, ids sorted.

        `alone`: while nobody else decides, for what concerns customers whom nobody can name.
        """
        ...

    async def remember(self, arrivals: Sequence[Arrival], desk: Desk) -> AbstractSet[EventKey]:
        """Keep the events that had not come before; the keys of those.

        With them is kept how their customers are reached and what they said about being asked.
        """
        ...

    async def cancel(self, cancels: Sequence[Cancel]) -> None:
        """Keep them, and cancel what is scheduled and not later than they are."""
        ...

    async def recall(self, wanted: Wanted, desk: Desk) -> Memory:
        """What is known; the groups are held until the transaction ends."""
        ...

    async def book(self, bookings: Sequence[Booking], desk: Desk) -> None:
        """Store invitations."""
        ...

    async def record(self, decisions: Sequence[Decision]) -> None:
        """Store decisions; one on the same event by the same trigger stays as it is."""
        ...

    async def conclude(self, decisions: Sequence[Decision]) -> None:
        """Store decisions in the place of those that said to wait."""
        ...

    async def wait(self, questions: Sequence[Question], programme: Programme) -> None:
        """Keep questions until they are due."""
        ...

    async def take_due(self, most: int, now: datetime) -> Sequence[Waiting]:
        """All that waits of at most so many customers for whom something is due.

        The customers are held until the transaction ends; those that others hold are left out.
        """
        ...

    async def postpone(self, waiting: Sequence[Waiting]) -> None:
        """These are due when they say, and no earlier."""
        ...

    async def forget(self, waiting: Sequence[Waiting]) -> None:
        """These wait no more."""
        ...

    async def customers_of(self, invitations: Sequence[str]) -> Mapping[str, str]:
        """The customer of each invitation that exists."""
        ...

    async def suppress(self, suppressions: Sequence[Suppression]) -> None:
        """Store suppressions and take their channels from what is scheduled."""
        ...
