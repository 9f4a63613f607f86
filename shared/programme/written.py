"""What every part of a programme has in common: how it is written, named and limited."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import AfterValidator, BaseModel, ConfigDict

from shared.durations import format_duration, parse_duration
from shared.programme.faults import NotAccepted, nearest, one_of, refuse
from shared.programme.metrics import METRIC_NAMES

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,49}")
NAME_ACCEPTED = "1 to 50 letters without accents, digits, - and _"
EVENT_TYPE = re.compile(r"(transaction|support_call)\.[a-z0-9_-]{1,50}")
EVENT_TYPES = "transaction.<word> or support_call.<word>"


class Written(BaseModel):
    """What the operator wrote, never changed afterwards; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def within(shortest: str, longest: str) -> AfterValidator:
    """Limits of a duration, both accepted."""

    def check(value: timedelta) -> timedelta:
        if not parse_duration(shortest) <= value <= parse_duration(longest):
            raise NotAccepted(
                f"{format_duration(value)} is not accepted", f"{shortest} to {longest}"
            )
        return value

    return AfterValidator(check)


def check_names(value: Any, thing: str) -> Any:
    """Refuse keys that could not stand in an address or a metric label."""
    names = value if isinstance(value, Mapping) else ()
    refuse(
        [
            NotAccepted(f"{name!r} is not a name for {thing}", NAME_ACCEPTED, at=name)
            for name in names
            if NAME.fullmatch(name) is None
        ]
    )
    return value


def check_event_type(value: str) -> str:
    """Refuse what cannot be the type of an event that is read here."""
    if EVENT_TYPE.fullmatch(value) is None:
        raise NotAccepted(f"{value!r} is not a type of event", EVENT_TYPES)
    return value


def check_metric(value: object) -> object:
    """Refuse what is not the name of a metric."""
    if value not in METRIC_NAMES:
        raise NotAccepted(
            f"{value!r} is not a metric{nearest(str(value), METRIC_NAMES)}", one_of(METRIC_NAMES)
        )
    return value


def check_each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a list that says the same twice."""
    for place, value in enumerate(values):
        if value in values[:place]:
            raise NotAccepted(f"names {value!r} twice", "each one once")
    return values
