"""What a programme would have done beside what was done: counted, and compared one by one."""

from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from services.trigger.domain.backtest.entries import Entry, Record
from services.trigger.domain.backtest.missing import Missing
from services.trigger.domain.backtest.outcomes import Outcome
from services.trigger.domain.reasons import Reason
from shared.programme.models import Programme

Cell = tuple[str, date, Reason]
Key = tuple[int, str]
_ORDER: Final = {reason: place for place, reason in enumerate(Reason)}
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Slip:
    """A decision of the same programme that came out otherwise than the ledger has it."""

    trigger: str
    source: str
    event_id: str
    recorded: Reason
    again: Reason


@dataclass(frozen=True, slots=True)
class Row:
    """How many decisions of a trigger on the events of a day had a reason: today's, and changed.

    `day` is None where all are counted together.
    """

    trigger: str
    day: date | None
    reason: Reason
    today: int
    changed: int

    @property
    def difference(self) -> int:
        return self.changed - self.today


@dataclass
class Effect:
    """What came of a run over the events since a moment.

    `counts`: what was decided again, `recorded`: what the ledger has, both without what is
    `left_out`: decisions that needed a fact that was not kept. Days are the programme's, by when an
    event came. `skipped`: what another run has left out. `standing`: what needs a fact that was
    not kept counts as it was recorded, and is not left out. `same` of `compared` decisions of this
    very programme came out as recorded.
    """

    programme: Programme
    since: datetime
    skipped: AbstractSet[Key] = frozenset()
    standing: bool = False
    counts: Counter[Cell] = field(default_factory=Counter)
    recorded: Counter[Cell] = field(default_factory=Counter)
    left_out: Counter[tuple[str, Missing]] = field(default_factory=Counter)
    missing: set[Key] = field(default_factory=set)
    compared: int = 0
    slips: list[Slip] = field(default_factory=list)
    slipped: int = 0

    def __post_init__(self) -> None:
        self._zone: ZoneInfo = self.programme.zone

    @property
    def same(self) -> int:
        return self.compared - self.slipped

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Count what was decided, and hold it against the ledger."""
        for outcome in outcomes:
            if outcome.entry.heard_at >= self.since:
                self._check(outcome)
                key = (outcome.entry.seq, outcome.trigger)
                if key not in self.skipped:
                    self._count(outcome, key)

    def not_taken_back(self, outcomes: Iterable[Outcome]) -> None:
        """What the ledger has as cancelled later, and the run has not."""
        for outcome in outcomes:
            record, reason = outcome.record, outcome.reason
            if record is not None and reason is not None and outcome.entry.heard_at >= self.since:
                self._compare(outcome, record, record.became, reason)

    def _count(self, outcome: Outcome, key: Key) -> None:
        record, reason = outcome.record, outcome.reason
        if outcome.missing is not None and self.standing:
            reason = record.became if record is not None else None
        elif outcome.missing is not None:
            self.left_out[outcome.trigger, outcome.missing] += 1
            self.missing.add(key)
            return
        if outcome.instead_of is not None:
            self.counts[self._cell(outcome, outcome.instead_of)] -= 1
        elif record is not None:
            self.recorded[self._cell(outcome, record.became)] += 1
        if reason is not None:
            self.counts[self._cell(outcome, reason)] += 1

    def _check(self, outcome: Outcome) -> None:
        record, reason, before = outcome.record, outcome.reason, outcome.instead_of
        if record is None or reason is None:
            return
        if before is None:
            self.compared += record.programme == self.programme.digest
            self._compare(outcome, record, record.reason, reason)
        elif record.reason == before:
            self._compare(outcome, record, record.became, reason)

    def _compare(self, outcome: Outcome, record: Record, was: Reason, reason: Reason) -> None:
        if was == reason or record.programme != self.programme.digest:
            return
        self.slipped += 1
        if len(self.slips) < _SHOWN:
            event = outcome.entry.event
            self.slips.append(Slip(outcome.trigger, event.source, event.id, was, reason))

    def _cell(self, outcome: Outcome, reason: Reason) -> Cell:
        return (outcome.trigger, self._day(outcome.entry), reason)

    def _day(self, entry: Entry) -> date:
        return entry.heard_at.astimezone(self._zone).date()


def rows_of(today: Counter[Cell], changed: Counter[Cell]) -> Sequence[Row]:
    """Both counts side by side, by trigger, day and reason."""
    cells = sorted(
        {cell for counts in (today, changed) for cell, number in counts.items() if number},
        key=lambda cell: (cell[0], cell[1], _ORDER[cell[2]]),
    )
    return [Row(*cell, today=today[cell], changed=changed[cell]) for cell in cells]
