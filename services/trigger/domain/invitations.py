"""An invitation and what becomes of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.events import EventRef


class Status(StrEnum):
    """Where an invitation stands; `sending` is never published."""

    SCHEDULED = "scheduled"
    SENDING = "sending"
    SENT = "sent"
    UNDELIVERABLE = "undeliverable"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """One question to one customer about one thing, with the segments of its event.

    `channels` are those still to be tried, the present one first. `words` are the event's fields
    that its mail names. `zones` are the recipient's, `basis` says why asking is allowed: "consent"
    or "no-objection". `experiment` and `variant` name the arm that the customer is in. `reminder`
    counts the reminders of one question: 0 is the invitation itself, all others are `reminder_of`
    it.
    """

    id: str
    survey: str
    kind: str
    metric: str
    scale: tuple[int, int]
    trigger: str
    customer_id: str
    subject_id: str
    touchpoint: str | None
    event: EventRef
    segments: Mapping[str, str]
    words: Mapping[str, str]
    channels: Sequence[str]
    language: str
    send_at: datetime
    expires_at: datetime
    resend_on_doubt: bool = False
    zones: Sequence[str] = ()
    basis: str = ""
    experiment: str | None = None
    variant: str | None = None
    reminder_of: str | None = None
    reminder: int = 0

    @property
    def question_id(self) -> str:
        """The id that stands in its links and comes back in its answer."""
        return self.reminder_of or self.id


class Outcome(StrEnum):
    """How one try to send ended."""

    SENT = "sent"
    LATER = "later"  # failed for now: the same channel may work in a while
    FAILED = "failed"  # failed for good: this channel will not reach the customer
    DOUBT = "doubt"  # it may have gone out, and sending again could ask twice
    QUIET = "quiet"  # nothing was tried: it is a quiet hour where the customer is


@dataclass(frozen=True, slots=True)
class Try:
    """One claimed invitation: what the next step depends on."""

    channels: Sequence[str]
    attempts: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """What an invitation becomes after a try."""

    status: Status
    channels: Sequence[str]
    attempts: int
    send_at: datetime


RETRIES = tuple(
    timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1800, 3600, 7200, 14400)
)


def next_step(
    tried: Try, outcome: Outcome, now: datetime, opens: Callable[[datetime], datetime]
) -> Step:
    """What follows a try: done, the same channel later, the next channel at once, or the end.

    A channel that fails for now is given up after 8 retries (about 8 hours), or when the next
    would come after the survey has expired. `opens` moves a moment out of the quiet hours; what
    has to wait for it until the survey has expired has expired.
    """
    channels, attempts = tried.channels, tried.attempts + 1
    if outcome is Outcome.SENT:
        return Step(Status.SENT, channels, attempts, now)
    if outcome is Outcome.DOUBT:
        return Step(Status.UNKNOWN, channels, attempts, now)
    if outcome is Outcome.LATER and attempts <= len(RETRIES):
        again = opens(now + RETRIES[attempts - 1])
        if again < tried.expires_at:
            return Step(Status.SCHEDULED, channels, attempts, again)
    if outcome is Outcome.QUIET:
        return _waiting(tried, channels, tried.attempts, opens(now))
    if len(channels) > 1:
        return _waiting(tried, channels[1:], 0, opens(now))
    return Step(Status.UNDELIVERABLE, channels, attempts, now)


def _waiting(tried: Try, channels: Sequence[str], attempts: int, until: datetime) -> Step:
    status = Status.SCHEDULED if until < tried.expires_at else Status.EXPIRED
    return Step(status, channels, attempts, until)
