"""What the handlers are given, and what they need remembered."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.trigger.domain.customers import Customer
from services.trigger.domain.decisions import Decision
from services.trigger.domain.invitations import Invitation
from services.trigger.domain.occasions import Occasion
from services.trigger.domain.suppressions import Suppression
from shared.events import SurveyDecision
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
