"""An event under the names that rules and mails know: the one table of those names."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
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


_TEXTS = tuple(map(_split, TEXTS))
_OTHERS = tuple(map(_split, (*TIMES, *VALUES)))
ENVELOPE = ("id", "source", "type", "time", "subject")


@dataclass(frozen=True)
class EventView:
    """One event under the names that rules know; made once, read by all rules."""

    values: Mapping[str, Any]

    @property
    def longest_map(self) -> int:
        """How many entries the event's largest map has."""
        return max(len(self.values[name]) for name in MAPS)

    @cached_property
    def activation(self) -> cel.Activation:
        """The engine's form of it."""
        return environment().Activation(self.values)


def event_view(envelope: Mapping[str, Any], data: Mapping[str, Any]) -> EventView:
    """The event under the names that rules know: an absent text is "", anything else null.

    `envelope` holds id, source, type, time (with offset) and subject.
    """
    fields = {**data, **{name: envelope.get(name) for name in ENVELOPE}}
    parts: dict[str | None, Mapping[str, Any]] = {p: _mapping(data.get(p)) for p in _PARTS}
    parts[None] = fields
    values: dict[str, Any] = {name: parts[part].get(last) for name, part, last in _OTHERS}
    for name, part, last in _TEXTS:
        found = parts[part].get(last)
        if not isinstance(found, str):
            found = str(found) if type(found) is int else ""
        values[name] = found
    values["event.customer.consent"] = _mapping(parts["customer"].get("consent"))
    values["event.segments"] = clean_segments(fields.get("segments"))
    return EventView(values)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


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
