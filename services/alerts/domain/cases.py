"""The alerts that are open, as the judge holds them.

An alert holds streams of the fleet open: the one that raised it and those that crossed in the same
excursion. It ends with the stream that raised it; what else it held starts afresh then, so that a
slice that is still bad raises an alert of its own.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from services.alerts.domain.alerts import Alert, Change
from services.alerts.domain.answers import minute_of
from services.alerts.domain.estimates import Severity, severity

NEWS: Final = 0.25


@dataclass(frozen=True)
class Case:
    """An alert, and what the judge must remember beside it.

    `holds`: rows of the fleet, the one that raised it first. `pending`: those of them that crossed
    in minute `opened_in` while that was open, so that the fleet does not know yet. `told_n`: the
    alert's answers at its last revision, `looked_n` when it was last explained. `raised_as`: the
    severity that its label keeps.
    """

    alert: Alert
    holds: tuple[int, ...]
    opened_in: int
    told_n: int
    raised_as: Severity
    pending: tuple[int, ...] = ()
    looked_n: int = 0

    def hold(self, row: int) -> "Case":
        """Hold one more stream open."""
        return replace(self, holds=(*self.holds, row))

    def await_minute(self, row: int, minute: int) -> "Case":
        """Remember that the fleet is to hold the stream open once the minute was judged."""
        return replace(self, pending=(*self.pending, row), opened_in=minute)

    def is_judged(self, judged_to: int) -> bool:
        """Whether the fleet knows all that this was raised by, and what came until it was over."""
        over = self.alert.resolved_at
        if over is not None and minute_of(over) > judged_to:
            return False
        return not self.pending or self.opened_in <= judged_to

    def let_go(self, rows: Collection[int]) -> "Case":
        """These streams ended by themselves; the alert goes on."""
        holds = tuple(held for held in self.holds if held not in rows)
        return replace(self, holds=holds, pending=tuple(p for p in self.pending if p not in rows))


@dataclass
class Docket:
    """All cases of a line that are not settled, with what one turn did to them.

    `ended_by_hand`: alerts that a person closed and whose streams the fleet still holds open, or
    will find once more in what came before that was said. `accepted`: by a person, and told to the
    fleet; streams that cross later by what rose before that was said take it as normal as well.
    """

    cases: dict[str, Case] = field(default_factory=dict)
    ended_by_hand: dict[str, Case] = field(default_factory=dict)
    accepted: dict[str, Case] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    changes: list[tuple[Alert, Change]] = field(default_factory=list)
    over: dict[str, Case] = field(default_factory=dict)

    def held_rows(self) -> set[int]:
        """The streams that a case holds, also one that a person closed a moment ago."""
        return {row for case in self.around().values() for row in case.holds}

    def around(self) -> dict[str, Case]:
        """What a stream that crosses may be part of: alerts that are open, or were a moment ago."""
        return self.cases | self.ended_by_hand

    def find(self, name: str) -> Case:
        """A case that is not settled."""
        return self.cases.get(name) or self.ended_by_hand.get(name) or self.accepted[name]

    def accept(self, case: Case) -> None:
        """Remember what a person accepted, for as long as streams may cross by it."""
        self.accepted[case.alert.id] = case
        self.touched.add(case.alert.id)

    def forget_accepted(self, before: datetime) -> None:
        """Settle what was accepted before that moment."""
        for name, case in list(self.accepted.items()):
            if case.alert.resolved_at is None or case.alert.resolved_at < before:
                self.over[name] = self.accepted.pop(name)
                self.touched.add(name)

    def take_settled(self, judged_to: int) -> list[Case]:
        """Take what a person closed and whose minutes are all judged by now."""
        settled = [case for case in self.ended_by_hand.values() if case.is_judged(judged_to)]
        for case in settled:
            del self.ended_by_hand[case.alert.id]
        return settled

    def put(self, case: Case, change: Change | None = None) -> None:
        """Store a case as it is now; with a change it is a revision that is told."""
        if change is not None:
            case = replace(case, told_n=case.alert.n)
            self.changes.append((case.alert, change))
        name = case.alert.id
        self.touched.add(name)
        if name in self.ended_by_hand:
            self.ended_by_hand[name] = case
        elif case.alert.state.is_over:
            self.cases.pop(name, None)
            self.over[name] = case
        else:
            self.cases[name] = case

    def written(self) -> list[Case]:
        """The cases to be stored; those that are `over` are settled."""
        known = self.around() | self.accepted | self.over
        return [known[name] for name in sorted(self.touched)]


def how_due(case: Case) -> tuple[bool, float] | None:
    """How much an alert is to be explained afresh, the least first; None if it is not.

    Each time that its answers grew by a quarter, and before each message: at a worse grade, and at
    twice the answers of the last one.
    """
    alert, seen = case.alert, max(case.looked_n, case.told_n, 1)
    grades = list(Severity)
    worse = grades.index(severity(alert.hurt_per_hour)) < grades.index(alert.severity)
    if worse or _looks(alert.n) > _looks(seen) or alert.n >= 2 * max(case.told_n, 1):
        return not worse, -alert.n / seen
    return None


def why_update(case: Case, before: Alert) -> str | None:
    """Say why a grown alert is worth another message, or None.

    A worse grade, twice the answers, another explanation, a rise changed by more than a quarter: a
    few messages however long it lasts.
    """
    alert = case.alert
    if alert.severity != before.severity:
        return "severity"
    if [one.segment for one in alert.slices] != [one.segment for one in before.slices]:
        return "explanation"
    if abs(alert.rise.points - before.rise.points) > NEWS * abs(before.rise.points):
        return "rise"
    return "grown" if alert.n >= 2 * max(case.told_n, 1) else None


def _looks(answers: int) -> int:
    return math.floor(math.log(max(answers, 1)) / math.log(1 + NEWS))
