"""What the ledger kept of one event, and of what was before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.trigger.domain.facts import PastAsk, Said
from services.trigger.domain.kept import Kept
from services.trigger.domain.reasons import Reason
from shared.events import Event


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of an invitation, which no decision knew: when and by what it left, if it did.

    From `since` on it counts as asked at `at`; where that is None, it counts no more.
    """

    since: datetime
    at: datetime | None
    channel: str


@dataclass(frozen=True, slots=True)
class Record:
    """One decision in the ledger. `reason`: that of the decision itself, whatever came later.

    `turn`: its place in the order of the ledger. `ask`: what the caps counted of it, where it
    asked. `taken_back`: an event cancelled what had been asked for later.
    """

    trigger: str
    reason: Reason
    turn: int
    decided_at: datetime
    programme: str
    kept: Kept
    ask: PastAsk | None = None
    fate: Fate | None = None
    taken_back: bool = False

    def asked_as(self, ask: PastAsk, reason: Reason, clock: datetime) -> bool:
        """Whether the ledger has the same asking: then it is known what became of it."""
        return (reason, ask.channel, clock) == (self.reason, self.kept.by, self.decided_at)

    @property
    def became(self) -> Reason:
        """The reason by which it is counted."""
        return Reason.CANCELLED_BY_EVENT if self.taken_back else self.reason


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as it was kept, and the decisions on it, by trigger; "" is that of none."""

    seq: int
    event: Event
    heard_at: datetime
    records: Mapping[str, Record] = field(default_factory=dict)

    def record_of_then(self, trigger: str) -> Record | None:
        """The record of a trigger, if it was decided as the event came."""
        record = self.records.get(trigger)
        return record if record is not None and record.decided_at == self.heard_at else None


@dataclass(frozen=True, slots=True)
class Batch:
    """Events that were decided on together. `place`: where they stand in the order of turns."""

    entries: Sequence[Entry]
    place: int
    clock: datetime


@dataclass(frozen=True, slots=True)
class Given:
    """An asking that is not decided again: it was before, or it is a reminder of `parent`."""

    customer_id: str
    ask: PastAsk
    subject_id: str
    event_time: datetime
    made_at: datetime
    fate: Fate | None = None
    taken_back: bool = False
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """What a customer said about one channel before."""

    customer_id: str
    channel: str
    said: Said


@dataclass(frozen=True, slots=True)
class Refusal:
    """A channel of a customer that is closed today, and since when."""

    customer_id: str
    channel: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Before:
    """What was before the first event: askings that caps still see, and events that may cancel."""

    given: Sequence[Given] = ()
    cancelling: Sequence[Event] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What has to be known of some events, and was before them. `asked`: ids of invitations."""

    asked: Sequence[str] = ()
    words: Sequence[Word] = ()
    refusals: Sequence[Refusal] = ()
