"""An event under the names that rules and mails know: the one table of those names."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from cel_expr_python import cel

from shared.segments import clean_segments

TEXTS = (
    "event.id",
    "event.source",
    "event.type",
    "event.subject",
    "event.touchpoint",
    "event.customer.id",
    "event.customer.email",
    "event.customer.phone",
    "event.customer.locale",
    "event.customer.timezone",
    "event.customer.country",
    "event.transaction.id",
    "event.transaction.currency",
    "event.call.id",
    "event.call.queue",
    "event.call.agent",
    "event.call.team",
    "event.call.channel",
)
TIMES = ("event.time",)
MAPS = ("event.segments", "event.customer.consent")
VALUES = (
    "event.transaction.amount",
    "event.call.wait_s",
    "event.call.talk_s",
    "event.call.resolved",
)
NAMES = (*TEXTS, *TIMES, *MAPS, *VALUES)
_PARTS = ("customer", "transaction", "call")


def _split(name: str) -> tuple[str, str | None, str]:
    """`event.call.queue` as (name, "call", "queue"), `event.type` as (name, None, "type")."""
    _, *parts, last = name.split(".")
    return name, parts[0] if parts else None, last


_TEXTS = frozenset(TEXTS)
_PLACES = {name: (part, last) for name, part, last in map(_split, NAMES)}
ENVELOPE = ("id", "source", "type", "time", "subject")


@dataclass(frozen=True)
class EventView:
    """One event under the names that rules know: an absent text is "", anything else null.

    `envelope` holds id, source, type, time (with offset) and subject.
    """

    envelope: Mapping[str, Any]
    data: Mapping[str, Any]

    @property
    def longest_map(self) -> int:
        """How many entries the event's largest map has."""
        return max(map(len, self.some(MAPS).values()))

    def some(self, names: Iterable[str]) -> dict[str, Any]:
        """The values of some of `NAMES`."""
        return {name: self._value(name) for name in names}

    def activation(self, names: Iterable[str]) -> cel.Activation:
        """The engine's form of some: making it of all takes longer than a rule."""
        return environment().Activation(self.some(names))

    def _value(self, name: str) -> Any:
        part, last = _PLACES[name]
        if part is not None:
            found = _mapping(self.data.get(part)).get(last)
        else:
            found = (self.envelope if last in ENVELOPE else self.data).get(last)
        if name in _TEXTS:
            return found if isinstance(found, str) else str(found) if type(found) is int else ""
        if name in MAPS:
            return _mapping(found) if part else clean_segments(found)
        return found


def event_view(envelope: Mapping[str, Any], data: Mapping[str, Any]) -> EventView:
    """The event under the names that rules know."""
    return EventView(envelope, data)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


@cache
def environment() -> cel.Env:
    """The engine with every name declared."""
    kinds = {
        **dict.fromkeys(TEXTS, cel.Type.STRING),
        **dict.fromkeys(TIMES, cel.Type.TIMESTAMP),
        **dict.fromkeys(VALUES, cel.Type.DYN),
        "event.segments": cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
        "event.customer.consent": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    }
    return cel.NewEnv(variables=kinds)
