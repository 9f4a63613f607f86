"""What happens when questions that waited are due: they are decided, in their order."""

from dataclasses import replace

from services.trigger.domain.decisions import Decision, nobody_listens
from services.trigger.domain.facts import Facts
from services.trigger.domain.occasions import read_occasion
from services.trigger.domain.questions import Question
from services.trigger.domain.ready import Pending, ready
from services.trigger.domain.records import survey_decision
from services.trigger.handlers.deciding import (
    bookings_of,
    count,
    decide_in_order,
    wanted_by,
    with_merged,
)
from services.trigger.handlers.ledger import Desk, Ledger, Publish, Waiting


async def on_due(most: int, ledger: Ledger, publish: Publish, desk: Desk) -> int:
    """Decide what is due of at most so many customers; how many events that were."""
    waiting = await ledger.take_due(most, desk.now)
    triggers = {trigger.key for t in desk.programme.triggers_of.values() for trigger in t}
    orphans = [each for each in waiting if each.trigger not in triggers]
    pending = [Pending(_question(w, desk), w.due_at) for w in waiting if w.trigger in triggers]
    matters = list(ready(pending, desk.programme, desk.now))
    chosen = {member.key for matter in matters for member in matter.members}
    taken = [*orphans, *(each for each in waiting if each.key in chosen)]
    if not taken:
        return 0
    questions = [matter.question for matter in matters]
    memory = await ledger.recall(wanted_by(questions, questions, desk), desk)
    decisions = decide_in_order(questions, {}, memory, desk)
    told = [*with_merged(questions, decisions), *(_dropped(each, desk) for each in orphans)]
    await ledger.forget(taken)
    both = zip(questions, decisions, strict=True)
    await ledger.wait([q for q, decision in both if decision.waits], desk.programme)
    await ledger.book(bookings_of(questions, decisions), desk)
    await ledger.conclude(told)
    await publish([survey_decision(decision) for decision in told])
    count(told)
    return len(taken)


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
