"""Trigger's handlers with the clock in hand: what comes when, and what is asked in the end."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from services.trigger.domain.invitations import Invitation
from services.trigger.domain.occasions import read_occasion
from services.trigger.handlers import Arrival, Desk, on_batch, on_due
from shared.events import Event, SurveyDecision
from shared.programme.asking import Cap
from shared.programme.models import Programme, Trigger
from tests.support.trigger import CHANNELS, programme
from tests.support.trigger_memory import MemoryLedger

MINUTE = timedelta(minutes=1)
MANY = 500
AT_ONCE: dict[str, Any] = {
    "on": "support_call.ended",
    "when": "event.call.talk_s >= 60",
    "survey": "post-call",
}
LATER: dict[str, Any] = {
    "on": "support_call.ended",
    "when": "event.call.queue != 'vip'",
    "survey": "post-call",
    "delay": "9m",
    "cancel_on": ["support_call.reopened"],
}
DELIVERED: dict[str, Any] = {
    "on": "transaction.delivered",
    "survey": "post-delivery",
    "delay": "12m",
    "cancel_on": ["transaction.refunded"],
}
SETTLED: dict[str, Any] = {
    "on": "transaction.shipped",
    "when": "event.transaction.amount >= 50 && event.segments['region'] == 'EU'",
    "survey": "effort",
    "delay": "2m",
    "settle": "10m",
    "cancel_on": ["transaction.refunded"],
}
ALL = {"at_once": AT_ONCE, "later": LATER, "delivered": DELIVERED, "settled": SETTLED}
PROMPT = timedelta(0)


def asking(*caps: Cap, **triggers: Mapping[str, Any]) -> Programme:
    """A programme of these triggers and caps, by mail and only with a yes."""
    found = {
        key: Trigger(key=key, **{"delay": "0s", "cancel_on": [], "channels": ["email"], **written})
        for key, written in triggers.items()
    }
    needed = ("email",)
    return programme(triggers=found, caps=caps, quiet_hours=None, consent_required=needed)


async def _untold(decisions: Sequence[SurveyDecision]) -> None: ...


class Life:
    """A ledger in memory, and a worker that looks when something is due or in steps."""

    def __init__(self, programme: Programme, step: timedelta = PROMPT) -> None:
        self.ledger = MemoryLedger()
        self._programme = programme
        self._step = step

    def arrivals(self, events: Iterable[Event]) -> list[Arrival]:
        paths = self._programme.segments.paths
        return [Arrival(read_occasion(event, paths)) for event in events]

    async def hear(self, at: datetime, events: Sequence[Event]) -> None:
        """A batch; what is due before it has been decided."""
        await self.pass_until(at)
        desk = Desk(self._programme, CHANNELS, at)
        await on_batch(self.arrivals(events), [], self.ledger, _untold, desk)

    async def pass_until(self, end: datetime) -> None:
        """The worker decides all that is due before then."""
        while (now := self._next_look()) is not None and now < end:
            due = await on_due(MANY, self.ledger, _untold, Desk(self._programme, CHANNELS, now))
            assert due, "what is due can always be decided, or is put off"

    def _next_look(self) -> datetime | None:
        due = min((each.due_at for each in self.ledger.waiting.values()), default=None)
        return None if due is None else due + self._step

    @property
    def asked(self) -> list[Invitation]:
        """The invitations that nothing took back, by id."""
        found = sorted(self.ledger.invitations.items())
        return [each for key, each in found if key not in self.ledger.cancelled]
