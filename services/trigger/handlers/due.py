"""What happens when questions that waited are due: they are decided, in their order."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from services.trigger.domain.decisions import Decision, nobody_listens
from services.trigger.domain.occasions import read_occasion
from services.trigger.domain.questions import Question, merge
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
    """Decide what is due of at most so many customers; how many events that were.

    A customer's questions are decided in the order in which they were planned: one that is due
    waits for an earlier one that is not, so that the order of arrival changes nothing.
    """
    waiting = await ledger.take_due(most, desk.now)
    triggers = {trigger.key for t in desk.programme.triggers_of.values() for trigger in t}
    orphans = [each for each in waiting if each.trigger not in triggers]
    ready = list(_ready([each for each in waiting if each.trigger in triggers], desk))
    taken = [*orphans, *(member for matter in ready for member in matter.members)]
    if not taken:
        return 0
    questions = [matter.question for matter in ready]
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


@dataclass(frozen=True, slots=True)
class _Matter:
    """A question and the events that wait for it."""

    question: Question
    members: Sequence[Waiting]

    @property
    def whose(self) -> str:
        occasion = self.question.occasion
        return occasion.customer_id or f"nobody: {occasion.subject_id}"


def _ready(waiting: Sequence[Waiting], desk: Desk) -> Iterator[_Matter]:
    matters = sorted(_matters(waiting, desk), key=lambda m: m.question.place(desk.programme))
    held: set[str] = set()
    for matter in matters:
        if max(member.due_at for member in matter.members) > desk.now:
            held.add(matter.whose)
        elif matter.whose not in held:
            yield matter


def _matters(waiting: Sequence[Waiting], desk: Desk) -> Iterator[_Matter]:
    """One for each event, or for each subject where the trigger lets it settle."""
    subjects: dict[tuple[str, str], list[tuple[Question, Waiting]]] = defaultdict(list)
    for each in waiting:
        question = _question(each, desk)
        if question.trigger.settle:
            subjects[each.trigger, each.subject_id].append((question, each))
        else:
            yield _Matter(question, [each])
    for found in subjects.values():
        yield from (_merged(together, desk) for together in _by_customer(found))


def _by_customer(
    found: Sequence[tuple[Question, Waiting]],
) -> Iterator[Sequence[tuple[Question, Waiting]]]:
    """An event that names nobody belongs to the one customer whom the others name."""
    named = {question.occasion.customer_id for question, _ in found} - {None}
    if len(named) <= 1:
        yield found
        return
    for customer_id in (*sorted(filter(None, named)), None):
        if own := [pair for pair in found if pair[0].occasion.customer_id == customer_id]:
            yield own


def _merged(found: Sequence[tuple[Question, Waiting]], desk: Desk) -> _Matter:
    questions, members = zip(*found, strict=True)
    return _Matter(merge(questions, desk.programme), members)


def _question(waiting: Waiting, desk: Desk) -> Question:
    occasion = read_occasion(waiting.event, desk.programme.segments.paths)
    listening = desk.programme.triggers.get(waiting.trigger)
    trigger = listening or desk.programme.schedules[waiting.trigger]
    heard_at = waiting.heard_at
    return Question(occasion, trigger, heard_at, heard_at, waiting.traceparent)


def _dropped(waiting: Waiting, desk: Desk) -> Decision:
    """The decision on what waited for a trigger that the programme no longer has."""
    occasion = read_occasion(waiting.event, desk.programme.segments.paths)
    decision = nobody_listens(occasion, desk.programme, desk.now)
    return replace(decision, trigger=waiting.trigger)
