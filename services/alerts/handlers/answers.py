"""Counting: a batch of answers becomes sums by minute and leaf, each answer once."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from services.alerts.domain.answers import (
    Answer,
    Change,
    Line,
    Place,
    Tick,
    begin_of,
    bring_forward,
    fold,
    tally,
)
from services.alerts.domain.silences import Maintenance
from services.alerts.metrics import ANSWERS, LATE, MAINTENANCE, REPEATS, TOO_LATE

Newest = Mapping[tuple[int, Line], datetime]  # of a partition and line


class Ledger(Protocol):
    """What counting needs remembered. Every call shares the caller's transaction."""

    async def closed_to(self, lines: Iterable[Line]) -> Mapping[Line, int]:
        """The last minute of each line that takes none; no more close until we commit."""
        ...

    async def maintenance(self, since: datetime) -> Maintenance:
        """The windows since then whose answers are no evidence."""
        ...

    async def record(self, answers: Sequence[Answer]) -> Sequence[Change]:
        """Store answers, sorted by id. What was judged, repeats and older versions stay as is."""
        ...

    async def remember(self, changes: Sequence[Change]) -> None:
        """Keep what detractors said, and forget what those said who are none any more."""
        ...

    async def add(self, ticks: Mapping[Place, Tick]) -> None:
        """Add to the sums."""
        ...

    async def note(self, newest: Newest) -> None:
        """Keep the newest answer of each partition and line."""
        ...


async def on_answers(answers: Iterable[Answer], newest: Newest, ledger: Ledger) -> None:
    """Count a batch. An answer counts with its first version, or the last before its judgement.

    One of a maintenance window counts nowhere, by its own time, however late it comes.
    """
    folded = fold(answers)
    closed_to = await ledger.closed_to({answer.place.line for answer in folded})
    first = min((answer.place.minute for answer in folded), default=0)
    maintenance = await ledger.maintenance(begin_of(first))
    usual = [answer for answer in folded if not maintenance.takes(answer.place)]
    MAINTENANCE.inc(len(folded) - len(usual))
    timely = bring_forward(usual, closed_to)
    changes = await ledger.record(timely)
    if changes:
        await ledger.remember(changes)
        await ledger.add(tally(changes))
    await ledger.note(newest)
    _observe(usual, timely, changes)


def _observe(folded: Sequence[Answer], timely: Sequence[Answer], changes: Sequence[Change]) -> None:
    minutes = {answer.id: answer.place.minute for answer in folded}
    late = (change.answer for change in changes if change.before is None)
    LATE.inc(sum(minutes[answer.id] != answer.place.minute for answer in late))
    TOO_LATE.inc(len(folded) - len(timely))
    REPEATS.inc(len(timely) - len(changes))
    new = Counter(c.answer.place.metric for c in changes if c.before is None)
    for metric, number in new.items():
        ANSWERS.labels(metric).inc(number)
