"""What comes of a run: for each event and trigger, what was decided again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.trigger.domain.backtest.entries import Batch, Entry, Record
from services.trigger.domain.backtest.missing import Missing
from services.trigger.domain.decisions import Decision
from services.trigger.domain.occasions import Occasion
from services.trigger.domain.questions import Question
from services.trigger.domain.reasons import Reason
from shared.programme.models import Programme


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an event under a trigger ("" if none listens) when it was decided again.

    `reason` is None where the programme has no such trigger, or where `missing` says which fact
    was not kept. `instead_of`: the reason that an earlier outcome of the same gave.
    """

    entry: Entry
    trigger: str
    reason: Reason | None
    missing: Missing | None = None
    instead_of: Reason | None = None

    @property
    def record(self) -> Record | None:
        return self.entry.records.get(self.trigger)


def outcome_of(entry: Entry, decision: Decision, missing: Missing | None) -> Outcome:
    """The outcome of a decision, or that it could not be made."""
    reason = decision.reason if missing is None else None
    return Outcome(entry, decision.trigger or "", reason, missing)


def unlistened(entry: Entry, programme: Programme) -> Iterator[Outcome]:
    """What was decided for triggers that do not listen now, and that none listens."""
    listening = {trigger.key for trigger in programme.triggers_of.get(entry.event.type, ())}
    if not listening:
        yield Outcome(entry, "", Reason.NO_TRIGGER)
    for trigger in entry.records:
        if trigger not in (listening or {""}):
            yield Outcome(entry, trigger, None)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch whose events have been read, and the questions that they are, in their order."""

    batch: Batch
    occasions: Sequence[tuple[Entry, Occasion]]
    questions: Sequence[tuple[Entry, Question]]
