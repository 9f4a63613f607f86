"""One question that waits, and a look at some of those that do."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from services.trigger.domain.backtest.entries import Entry, Record
from services.trigger.domain.questions import Question
from services.trigger.domain.ready import Key, Pending
from services.trigger.domain.reasons import Reason

NEVER: Final = datetime.max.replace(tzinfo=UTC)
Subject = tuple[str, str]


@dataclass
class Waiter:
    """One event under one trigger that waits.

    One that is `bound` is decided when it was decided in the ledger, late or not at all until
    today. Else it is decided when it is due.
    """

    entry: Entry
    question: Question
    reason: Reason
    due_at: datetime
    bound: bool
    turn_at: datetime

    @property
    def pending(self) -> Pending:
        return Pending(self.question, self.due_at)

    @property
    def record(self) -> Record | None:
        return self.entry.records.get(self.question.trigger.key)

    def record_of(self, clock: datetime) -> Record | None:
        """Its record, if it was decided by this clock in the ledger too."""
        record = self.record
        return record if record is not None and record.decided_at == clock else None

    @property
    def customer_id(self) -> str | None:
        return self.question.occasion.customer_id

    @property
    def subject(self) -> Subject:
        return (self.question.trigger.key, self.question.occasion.subject_id)


@dataclass(frozen=True, slots=True)
class Round:
    """What is looked at together, and the clock by which."""

    keys: Collection[Key]
    clock: datetime
