"""A decision as scoring keeps it: how far an event came under one trigger, and which truth wins."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

INVITED: Final = "invited"
RANKS: Final = {"scheduled": 0, INVITED: 1, "suppressed": 2}  # at one moment the later wins
_WAITING: Final = frozenset({"delayed", "settling"})
# Before a trigger has read its rule, or where it was not met.
_NOT_KNOWN: Final = frozenset(
    {"no-trigger", "rule-not-met", "rule-error", "too-old", "settling"},
)

Key = tuple[str, str, str]  # event id, source, trigger ("": none)


class Stage(StrEnum):
    """How far an event came, as its decision tells; each stage includes the ones before it."""

    HEARD = "heard"
    ELIGIBLE = "eligible"
    ASKED = "asked"


class Decision(msgspec.Struct, frozen=True, gc=False):
    """One event under one trigger. The order of the fields is that of the table's columns."""

    event_id: str
    source: str
    trigger: str  # "": none listens
    decided_at: datetime
    rank: int
    digest: str  # first 8 hex digits of the SHA-256 of the rest
    survey: str  # "": none
    stage: str
    reason: str
    event_time: datetime
    invitation_id: str | None
    segments: dict[str, str]

    @property
    def key(self) -> Key:
        return self.event_id, self.source, self.trigger

    @property
    def order(self) -> tuple[datetime, int, str]:
        """The greater wins. What an invitation came to keeps the moment of its decision."""
        return self.decided_at, self.rank, self.digest


class Turn(msgspec.Struct, frozen=True, gc=False):
    """One decision before and after a batch."""

    before: Decision | None
    after: Decision


def stage_of(verdict: str, reason: str, *, invited: bool, named: bool) -> Stage:
    """How far the event came.

    Eligible where the trigger's rule was read and met; asked where an invitation was made,
    whatever became of it (`invited`: the decision names one). `named`: the event says whom to ask;
    the rule is not read where it does not. That depends on nothing but the event: whoever was
    asked already, or not drawn for the sample, is eligible all the same.
    """
    if verdict == INVITED or (invited and reason not in _WAITING):
        return Stage.ASKED
    return Stage.ELIGIBLE if named and reason not in _NOT_KNOWN else Stage.HEARD


def fold_decisions(decisions: Iterable[Decision]) -> list[Decision]:
    """The greatest decision a key, sorted by key; any order of input ends alike."""
    known: dict[Key, Decision] = {}
    for decision in decisions:
        other = known.get(decision.key)
        if other is None or decision.order > other.order:
            known[decision.key] = decision
    return [known[key] for key in sorted(known)]
