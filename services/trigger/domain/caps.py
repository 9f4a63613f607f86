"""Caps: how many askings a period may hold, counted by whatever the programme names."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.trigger.domain.facts import PastAsk
from shared.programme.asking import CUSTOMER, Cap

Groups = Mapping[tuple[str, str], Sequence[PastAsk]]

_OF_ASK: Mapping[str, Callable[[PastAsk], str]] = {
    "survey": lambda ask: ask.survey,
    "trigger": lambda ask: ask.trigger,
}
_CHANNEL = "channel"
_APART = frozenset({CUSTOMER, _CHANNEL})


@dataclass(frozen=True, slots=True)
class History:
    """Who was asked before: the customer, and the groups that caps limit."""

    asks: Sequence[PastAsk]
    groups: Groups


def full(cap: Cap, asking: PastAsk, history: History) -> bool:
    """Whether one more asking would be one too many for a cap.

    It would be, where `most` others that count together with it lie less than `per` before it, or
    after it, because something may be asked later than what is decided next.
    """
    if not cap.limits(asking.survey, asking.channel):
        return False
    names = [name for name in cap.each if name not in _APART]
    own = [_value(asking, name) for name in names]
    if None in own:
        return False  # it belongs to no group that the cap counts
    channel = asking.channel if _CHANNEL in cap.each else None
    since, counted = asking.at - cap.per, 0
    for past in _past(cap, asking, history):
        alike = past.at > since and [_value(past, name) for name in names] == own
        if alike and _counts(past, cap, channel):
            counted += 1
    return counted >= cap.most


def _counts(past: PastAsk, cap: Cap, channel: str | None) -> bool:
    """Whether a cap counts it by any channel that it may go by, or by the one that is named."""
    for name in (past.channel, *past.more):
        if (channel is None or channel == name) and cap.limits(past.survey, name):
            return True
    return False


def _past(cap: Cap, asking: PastAsk, history: History) -> Iterable[PastAsk]:
    if not cap.of_group:
        return history.asks
    (dimension,) = cap.dimensions
    return history.groups.get((dimension, asking.segments[dimension]), ())


def _value(ask: PastAsk, name: str) -> str | None:
    read = _OF_ASK.get(name)
    return read(ask) if read else ask.segments.get(name)
