"""What is known when a decision is made, and not from the event."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class PastAsk:
    """One asking of a customer that counts against the caps; `at`: when it left or shall leave.

    `more`: the channels by which it may still go if the present one fails for good.
    """

    invitation_id: str
    survey: str
    trigger: str
    channel: str
    segments: Mapping[str, str]
    at: datetime
    more: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """A customer's yes or no to one channel, and when an event said so."""

    yes: bool
    at: datetime


_AHEAD = timedelta(days=1)


def said_at(time: datetime, heard_at: datetime) -> datetime:
    """When a customer's word counts from: the event's time, unless its clock is a day ahead.

    A yes dated into the future would outlive every later no.
    """
    return heard_at if time - heard_at > _AHEAD else time


@dataclass(frozen=True, slots=True)
class Margin:
    """How sure the score of one segment is: answers, half width of the interval in points.

    `share`: of those whom the trigger would ask, how many it asks for now (0 to 1).
    """

    n: int
    half_width: float | None
    share: float


@dataclass(frozen=True, slots=True)
class Cancelling:
    """An event after which a question about its subject may be pointless."""

    event_type: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known when a decision is made, and not from the event.

    `channels`: those that this deployment can send by. `heard_at`: when the event came, and
    `settled_from`: when the newest one about its subject came (both None: just now). `asked`: ids
    of the invitations that exist. `suppressed`: the customer's channels that must not be used.
    `consent`: what the customer said last, by channel. `asks`: the customer's askings, `groups`:
    those of a (dimension, value), as far back as the caps look. `cancelling`: events about the same
    subject that may cancel. `margins`: by trigger, for the occasion's segment.
    """

    channels: AbstractSet[str]
    heard_at: datetime | None = None
    settled_from: datetime | None = None
    asked: AbstractSet[str] = frozenset()
    suppressed: AbstractSet[str] = frozenset()
    consent: Mapping[str, Said] = field(default_factory=dict)
    asks: Sequence[PastAsk] = ()
    groups: Mapping[tuple[str, str], Sequence[PastAsk]] = field(default_factory=dict)
    cancelling: Sequence[Cancelling] = ()
    margins: Mapping[str, Margin] = field(default_factory=dict)

    def after(self, ask: PastAsk, dimensions: AbstractSet[str]) -> "Facts":
        """The same once this has been asked; `dimensions`: those whose groups caps limit."""
        groups = dict(self.groups)
        for dimension in sorted(dimensions & set(ask.segments)):
            key = (dimension, ask.segments[dimension])
            groups[key] = (*groups.get(key, ()), ask)
        asked = self.asked | {ask.invitation_id}
        return replace(self, asked=asked, asks=(*self.asks, ask), groups=groups)
