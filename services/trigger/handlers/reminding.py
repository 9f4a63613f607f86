"""What happens when reminders are due: each is decided, and is one more letter if it is sent."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from services.trigger.domain.decisions import Decision
from services.trigger.domain.facts import Facts
from services.trigger.domain.memory import Memory
from services.trigger.domain.records import survey_decision
from services.trigger.domain.reminders import (
    Unanswered,
    decide_reminder,
    reminder_id,
    wants_reminder,
)
from services.trigger.handlers.deciding import count
from services.trigger.handlers.ledger import Booking, Desk, Ledger, Publish, Wanted


class Sent(Protocol):
    """The letters that were sent. Every call shares the caller's transaction."""

    async def to_remind(self, most: int, now: datetime) -> Sequence[str]:
        """The customers of what is due, at most so many letters; nothing is held."""
        ...

    async def take_unanswered(
        self, customers: Sequence[str], most: int, now: datetime
    ) -> Sequence[Unanswered]:
        """What is due of these customers, in order; it will not be due again."""
        ...


async def on_reminders_due(
    most: int, sent: Sent, ledger: Ledger, publish: Publish, desk: Desk
) -> int:
    """Decide the reminders that are due, at most so many; how many letters that were.

    Customers are locked before anything is read, as for every decision. What the programme no
    longer wants is dropped without one.
    """
    customers = sorted(set(await sent.to_remind(most, desk.now)))
    if not customers:
        return 0
    await ledger.lock(customers, desk.now)
    taken = await sent.take_unanswered(customers, most, desk.now)
    wanted = [last for last in taken if wants_reminder(last.invitation, desk.programme)]
    if wanted:
        memory = await ledger.recall(_wanted(wanted, desk), desk)
        decisions = [_decide(last, memory, desk) for last in wanted]
        both = zip(wanted, decisions, strict=True)
        booked = [Booking(d.invitation, last.traceparent) for last, d in both if d.invitation]
        await ledger.book(booked, desk)
        await ledger.record(decisions)
        await publish([survey_decision(decision) for decision in decisions])
        count(decisions)
    return len(taken)


def _decide(last: Unanswered, memory: Memory, desk: Desk) -> Decision:
    decision = decide_reminder(last, _facts(last, memory), desk.programme, desk.now)
    memory.note(decision, desk.programme)
    return decision


def _wanted(letters: Sequence[Unanswered], desk: Desk) -> Wanted:
    invitations = [last.invitation for last in letters]
    limited = desk.programme.group_dimensions
    customers = sorted({i.customer_id for i in invitations})
    return Wanted(
        customers=customers,
        askable=customers,
        invitations=sorted(map(reminder_id, invitations)),
        subjects=sorted({i.subject_id for i in invitations}),
        groups=sorted(
            {(name, i.segments[name]) for i in invitations for name in limited & set(i.segments)}
        ),
    )


def _facts(last: Unanswered, memory: Memory) -> Facts:
    customer_id, subject_id = last.invitation.customer_id, last.invitation.subject_id
    cancelling = memory.cancelling
    return Facts(
        channels=memory.channels,
        suppressed=memory.closed(customer_id),
        consent=memory.consents.get(customer_id, {}),
        asks=memory.asks.get(customer_id, ()),
        groups=memory.groups,
        cancelling=[
            *cancelling.get((subject_id, customer_id), ()),
            *cancelling.get((subject_id, ""), ()),
        ],
    )
