"""Alerts that were rehearsed beside those that were raised: which are the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import product
from typing import Final

from services.alerts.domain.alerts import Alert

MINUTE: Final = timedelta(minutes=1)
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


class Fate(StrEnum):
    """What became of an alert under other settings."""

    SAME = "same"
    NEW = "new"
    GONE = "gone"
    TAKEN_BACK = "taken-back"  # an open minute raised it; by the end of the minute it was less


@dataclass(frozen=True)
class Pair:
    """An alert as it really was, and as it was rehearsed; one of them may not be."""

    real: Alert | None
    again: Alert | None

    @property
    def shown(self) -> Alert:
        """The rehearsed one; the real one where it was not raised again."""
        alert = self.again or self.real
        assert alert is not None
        return alert

    @property
    def opened_at(self) -> datetime:
        """When the later of both opened."""
        return max(alert.opened_at for alert in (self.real, self.again) if alert is not None)

    @property
    def fate(self) -> Fate:
        if self.real is None:
            return Fate.NEW
        if self.again is not None:
            return Fate.SAME
        return Fate.TAKEN_BACK if is_of_open_minute(self.real) else Fate.GONE

    @property
    def later(self) -> timedelta | None:
        """By how much it opened later than in earnest. Within a minute is at the same time."""
        if self.real is None or self.again is None:
            return None
        gap = self.again.opened_at - self.real.opened_at
        return timedelta() if abs(gap) < MINUTE else gap


def pair(real: Sequence[Alert], again: Sequence[Alert]) -> list[Pair]:
    """Pair alerts of the same line about the same thing, each once, nearest openings first.

    The same thing: their times overlap, and a stream of one lies within a stream of the other. A
    stream that an open minute raised opened up to a minute before the rehearsal's.
    """
    close = [(a, b) for a, b in product(range(len(real)), range(len(again)))
             if _is_same(real[a], again[b])]  # fmt: skip
    close.sort(key=lambda ab: _distance(real[ab[0]], again[ab[1]]))
    partner: dict[int, int] = {}
    taken: set[int] = set()
    for a, b in close:
        if a not in partner and b not in taken:
            partner[a] = b
            taken.add(b)
    pairs = [Pair(one, again[partner[a]] if a in partner else None) for a, one in enumerate(real)]
    pairs += [Pair(None, one) for b, one in enumerate(again) if b not in taken]
    return sorted(pairs, key=lambda p: (p.shown.opened_at, p.shown.id))


def is_of_open_minute(alert: Alert) -> bool:
    """Whether a minute raised it that was not over: whole ones raise at their end."""
    at = alert.opened_at
    return bool(at.second or at.microsecond)


def _is_same(one: Alert, other: Alert) -> bool:
    if one.line != other.line:
        return False
    ends = min(one.resolved_at or _NEVER, other.resolved_at or _NEVER)
    if max(one.began_at, other.began_at) > ends:
        return False
    return any(
        a.items() <= b.items() or b.items() <= a.items()
        for a, b in product(_streams(one), _streams(other))
    )


def _streams(alert: Alert) -> list[dict[str, str]]:
    return [alert.segment, alert.raised_segment]


def _distance(one: Alert, other: Alert) -> tuple[bool, timedelta]:
    return one.raised_segment != other.raised_segment, abs(one.opened_at - other.opened_at)
