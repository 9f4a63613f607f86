"""Who did what when, and what a change of an alert changed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

# Each change has its own; they say nothing of what is different.
_ALWAYS: Final = frozenset({"schema", "change", "revision", "updated_at"})


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the audit trail. `by` is None for what nobody decided but the evidence.

    `subject`: the id of an alert or a silence, or the name of a destination.
    """

    at: datetime
    by: str | None
    action: str
    subject: str
    note: str | None = None
    detail: dict[str, Any] = {}


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A field of an alert before and after a change."""

    before: Any
    after: Any


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Difference]:
    """The fields in which two published records of an alert differ, by name."""
    names = sorted({*before, *after} - _ALWAYS)
    return {
        name: Difference(before=before.get(name), after=after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    }
