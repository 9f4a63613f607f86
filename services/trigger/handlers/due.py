"""What happens when questions that waited are due: they are decided, in their order.

Guaranteed: whatever comes before any of a customer's questions is decided may come in any order,
and any number of times: the same is asked. For that they are decided in the order of the times of
their events, each with its delay added (`Question.place`); what has still to settle holds what
stands after it, and the events of one subject are merged in the order of their times.

Not guaranteed: a decision stands. What comes after its delay is over, or has none, is decided with
its batch, in the same order, before all that waits; so an event that comes after another of its
customer's was decided may find the cap full, though its time is the earlier one, and what it says
or cancels only stops what has not left. When something is asked does depend on when the events
came, by as much as the longest `settle`; so does what a cap counts whose period ends in that time,
and of different customers who is the last to fit under the cap of their group.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from services.trigger.domain.decisions import Decision, nobody_listens
from services.trigger.domain.facts import Facts
from services.trigger.domain.occasions import read_occasion
from services.trigger.domain.questions import Question
from services.trigger.domain.ready import Pending, in_turn
from services.trigger.domain.records import survey_decision
from services.trigger.handlers.deciding import (
    bookings_of,
    count,
    decide_in_order,
    wanted_by,
    with_merged,
)
from services.trigger.handlers.ledger import Desk, Ledger, Publish, Waiting

_PATIENCE = timedelta(hours=1)
_LOOK_AGAIN = timedelta(minutes=5)


async def on_due(most: int, ledger: Ledger, publish: Publish, desk: Desk) -> int:
    """Decide what is due of at most so many customers; how many events were due.

    What is due and has to wait for something else is due again with that. What waits for a trigger
    that the programme does not have is dropped an hour late: while a programme is rolled out, some
    replicas do not have what others do.
    """
    waiting = await ledger.take_due(most, desk.now)
    triggers = {trigger.key for t in desk.programme.triggers_of.values() for trigger in t}
    orphans = [each for each in waiting if each.trigger not in triggers and each.due_at <= desk.now]
    dropped = [each for each in orphans if desk.now - each.planned_at > _PATIENCE]
    pending = [Pending(_question(w, desk), w.due_at) for w in waiting if w.trigger in triggers]
    matters = list(in_turn(pending, desk.programme))
    until = {member.key: m.due_at for m in matters for member in m.members if m.due_at > desk.now}
    until |= {w.key: desk.now + _LOOK_AGAIN for w in orphans if w not in dropped}
    moved = [w for w in waiting if until.get(w.key, w.due_at) != w.due_at]
    await ledger.postpone([replace(w, due_at=until[w.key]) for w in moved])
    ready = [matter for matter in matters if matter.due_at <= desk.now]
    taken = {member.key for matter in ready for member in matter.members}
    await ledger.forget([w for w in waiting if w.key in taken or w in dropped])
    if taken or dropped:
        questions = [matter.question for matter in ready]
        await _decide(questions, [_dropped(w, desk) for w in dropped], ledger, publish, desk)
    return sum(each.due_at <= desk.now for each in waiting)


async def _decide(
    questions: Sequence[Question],
    dropped: Sequence[Decision],
    ledger: Ledger,
    publish: Publish,
    desk: Desk,
) -> None:
    memory = await ledger.recall(wanted_by(questions, questions, desk), desk)
    decisions = decide_in_order(questions, memory, desk)
    told = [*with_merged(questions, decisions), *dropped]
    await ledger.book(bookings_of(questions, decisions), desk)
    await ledger.conclude(told)
    await publish([survey_decision(decision) for decision in told])
    count(told)


def _question(waiting: Waiting, desk: Desk) -> Question:
    occasion = read_occasion(waiting.event, desk.programme.segments.paths)
    listening = desk.programme.triggers.get(waiting.trigger)
    trigger = listening or desk.programme.schedules[waiting.trigger]
    heard_at = waiting.heard_at
    return Question(occasion, trigger, heard_at, heard_at, waiting.traceparent)


def _dropped(waiting: Waiting, desk: Desk) -> Decision:
    """The decision on what waited for a trigger that the programme no longer has."""
    occasion = read_occasion(waiting.event, desk.programme.segments.paths)
    decision = nobody_listens(occasion, Facts(desk.channels), desk.programme, desk.now)
    return replace(decision, trigger=waiting.trigger)
