"""When to tell a destination, when to give up, and when it wants to hear no more."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

FIRING_FOR: Final = timedelta(minutes=5)  # an alert is believed so long after we last said it
REPEAT: Final = timedelta(minutes=1)
GIVE_UP: Final = timedelta(days=3)
LONGEST_WAIT: Final = timedelta(minutes=5)


class Way(StrEnum):
    """What a destination wants: each change once, or the present truth again and again."""

    EACH_CHANGE = "each-change"
    WHILE_FIRING = "while-firing"


@dataclass(frozen=True)
class Addressee:
    """A destination of the programme. At another address it is another one.

    `url`: its address; where that is a secret, what tells it from others and gives nothing away.
    """

    name: str
    url: str
    kind: str = ""


@dataclass(frozen=True)
class Disabled:
    """Since when and why a destination is told nothing; what is for it waits."""

    at: datetime
    detail: str


class Outcome(StrEnum):
    """What became of a delivery.

    Held: a silence keeps it back. Dropped: nobody is to hear of it any more, because a person said
    so, or because its alert was over before the silence was.
    """

    PENDING = "pending"
    SENT = "sent"
    DEAD = "dead"
    HELD = "held"
    DROPPED = "dropped"


class Held(NamedTuple):
    """A message that a silence kept back. `told`: the destination knows of its alert already."""

    key: str
    revision: int
    told: bool


def released(held: Held, newest: int, *, is_over: bool) -> Outcome:
    """What becomes of a message when its silence ends, of which `newest` is the last revision.

    An alert that is still open is told as it is now, and so is the end of one that was told of
    before the silence. One that came and went within it is not told at all.
    """
    if held.revision < newest or (is_over and not held.told):
        return Outcome.DROPPED
    return Outcome.PENDING


@dataclass(frozen=True)
class Step:
    """What is next for a delivery; `gone`: for its destination nothing is."""

    outcome: Outcome
    next_at: datetime
    attempts: int
    detail: str | None = None
    gone: bool = False


@dataclass(frozen=True)
class DeadLetter:
    """A message that was given up at `died_at`, after so many tries since `since`."""

    key: str
    alert_id: str
    revision: int
    since: datetime
    died_at: datetime
    attempts: int
    detail: str | None


class Failed(NamedTuple):
    """Why a try failed, whether for good, and for how long the other side wants no further one."""

    detail: str
    permanent: bool = False
    wait: timedelta = timedelta(0)


def key_of(way: Way, alert_id: str, revision: int) -> str:
    """What a destination knows a message by: stable over tries, and for one that fires over all."""
    return f"{alert_id}:{revision}" if way is Way.EACH_CHANGE else alert_id


def after_success(*, goes_on: bool, now: datetime) -> Step:
    """Done, or to be said again in a minute while it fires."""
    if goes_on:
        return Step(Outcome.PENDING, now + REPEAT, 0)
    return Step(Outcome.SENT, now, 0)


def after_failure(attempts: int, since: datetime, failed: Failed, now: datetime) -> Step:
    """Try again, doubling from 1 s to 5 min; dead when refused for good or after 3 days.

    Where the other side asked to be left alone for longer, it is.
    """
    if failed.permanent or now - since >= GIVE_UP:
        return Step(Outcome.DEAD, now, attempts, failed.detail)
    wait = min(timedelta(seconds=2.0 ** min(attempts - 1, 20)), LONGEST_WAIT)
    return Step(Outcome.PENDING, now + max(wait, failed.wait), attempts, failed.detail)


def after_gone(attempts: int, *, detail: str, now: datetime) -> Step:
    """The destination is gone: the message waits until a person enables it again."""
    return Step(Outcome.PENDING, now, attempts, detail, gone=True)
