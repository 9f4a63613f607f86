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
    own = [(name, _value(asking, name)) for name in cap.each if name not in {CUSTOMER, _CHANNEL}]
    if any(value is None for _, value in own):
        return False  # it belongs to no group that the cap counts
    channel = asking.channel if _CHANNEL in cap.each else None
    since = asking.at - cap.per
    alike = (
        past
        for past in _past(cap, asking, history)
        if past.at > since and all(_value(past, name) == value for name, value in own)
    )
    return sum(_counts(past, cap, channel) for past in alike) >= cap.most


def _counts(past: PastAsk, cap: Cap, channel: str | None) -> bool:
    """Whether a cap counts it by any channel that it may go by, or by the one that is named."""
    channels = (past.channel, *past.more)
    return any(cap.limits(past.survey, name) for name in channels if channel in {None, name})


def _past(cap: Cap, asking: PastAsk, history: History) -> Iterable[PastAsk]:
    if not cap.of_group:
        return history.asks
    (dimension,) = cap.dimensions
    return history.groups.get((dimension, asking.segments[dimension]), ())


def _value(ask: PastAsk, name: str) -> str | None:
    read = _OF_ASK.get(name)
    return read(ask) if read else ask.segments.get(name)
