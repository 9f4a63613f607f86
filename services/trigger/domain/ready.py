"""Which of the questions that wait may be decided: those that are due, in their order."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.trigger.domain.occasions import Occasion
from services.trigger.domain.questions import Question, merge
from shared.events import Event
from shared.programme.models import Programme

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Pending:
    """A question that waits, and until when."""

    question: Question
    due_at: datetime

    @property
    def key(self) -> Key:
        """Its trigger, and the event's source and id."""
        event = self.question.occasion.event
        return (self.question.trigger.key, event.source, event.id)


@dataclass(frozen=True, slots=True)
class Matter:
    """A question to be decided and all that wait for it: several where they have settled.

    `due_at`: when all of it is due, and all of the same customer's that stands before it.
    """

    question: Question
    members: Sequence[Pending]
    due_at: datetime

    @property
    def whose(self) -> str:
        occasion = self.question.occasion
        return occasion.customer_id or f"nobody: {occasion.subject_id}"


def ready(
    pending: Iterable[Pending],
    programme: Programme,
    now: datetime,
    read: Callable[[Event], Occasion] | None = None,
) -> Iterator[Matter]:
    """What of `in_turn` is due."""
    return (matter for matter in in_turn(pending, programme, read) if matter.due_at <= now)


def in_turn(
    pending: Iterable[Pending],
    programme: Programme,
    read: Callable[[Event], Occasion] | None = None,
) -> Iterator[Matter]:
    """All that waits, in the order of `Question.place`.

    A customer's questions keep it: one that is due waits for an earlier one that is not, so that
    the order of arrival changes nothing. `read` reads what was merged, if not as any event is.
    """
    found = _matters(pending, programme, read)
    latest: dict[str, datetime] = {}
    for matter in sorted(found, key=lambda matter: matter.question.place(programme)):
        before = latest.get(matter.whose, matter.due_at)
        latest[matter.whose] = max(before, matter.due_at)
        ready_at = latest[matter.whose]
        yield replace(matter, due_at=ready_at, question=replace(matter.question, ready_at=ready_at))


def _matters(
    pending: Iterable[Pending], programme: Programme, read: Callable[[Event], Occasion] | None
) -> Iterator[Matter]:
    """One for each event, or for each subject where the trigger lets it settle."""
    subjects: dict[tuple[str, str], list[Pending]] = defaultdict(list)
    for each in pending:
        question = each.question
        if question.trigger.settle:
            subjects[question.trigger.key, question.occasion.subject_id].append(each)
        else:
            yield _matter(question, [each], programme)
    for found in subjects.values():
        for together in _by_customer(found):
            questions = [each.question for each in together]
            yield _matter(merge(questions, programme, read), together, programme)


def _matter(question: Question, members: Sequence[Pending], programme: Programme) -> Matter:
    """What is merged may be due later than any of its parts: now it is known whose it is."""
    due_at = max(question.due_at(programme), *(member.due_at for member in members))
    return Matter(question, members, due_at)


def _by_customer(found: Sequence[Pending]) -> Iterator[Sequence[Pending]]:
    """An event that names nobody belongs to the one customer whom the others name."""
    named = {each.question.occasion.customer_id for each in found} - {None}
    if len(named) <= 1:
        yield found
        return
    for customer_id in (*sorted(filter(None, named)), None):
        if own := [each for each in found if each.question.occasion.customer_id == customer_id]:
            yield own
