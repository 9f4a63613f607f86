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
_ENVELOPE = ("id", "source", "type", "time", "subject")


@dataclass(frozen=True)
class EventView:
    """One event under the names that rules know; made once, read by all rules."""

    values: Mapping[str, Any]

    @cached_property
    def activation(self) -> cel.Activation:
        """The engine's form of it."""
        return environment().Activation(self.values)


def event_view(envelope: Mapping[str, Any], data: Mapping[str, Any]) -> EventView:
    """The event under the names that rules know: an absent text is "", anything else null.

    `envelope` holds id, source, type, time (with offset) and subject.
    """
    fields = {**data, **{name: envelope.get(name) for name in _ENVELOPE}}
    values: dict[str, Any] = {name: _at(name, fields) for name in (*TIMES, *VALUES)}
    for name in TEXTS:
        found = _at(name, fields)
        whole = isinstance(found, int) and not isinstance(found, bool)
        values[name] = found if isinstance(found, str) else str(found) if whole else ""
    consent = _at("event.customer.consent", fields)
    values["event.customer.consent"] = consent if isinstance(consent, Mapping) else {}
    values["event.segments"] = clean_segments(_at("event.segments", fields))
    return EventView(values)


def _at(name: str, fields: object) -> Any:
    for step in name.split(".")[1:]:
        fields = fields.get(step) if isinstance(fields, Mapping) else None
    return fields


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
