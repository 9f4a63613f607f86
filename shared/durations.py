"""Durations as an operator writes them: `200ms`, `90s`, `15m`, `6h`, `7d`."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

ACCEPTED = "a whole number with a unit, such as 200ms, 90s, 15m, 6h or 7d"

_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_WRITTEN = re.compile(r"([0-9]{1,15})(ms|s|m|h|d)")


def parse_duration(text: str) -> timedelta:
    """Read one duration. Raises ValueError that says what is accepted."""
    match = _WRITTEN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration: {ACCEPTED}")
    try:
        return int(match[1]) * _UNITS[match[2]]
    except OverflowError:
        raise ValueError(f"{text!r} is too long a duration") from None


def format_duration(duration: timedelta) -> str:
    """Write a duration so that `parse_duration` reads it back, to the millisecond.

    Raises ValueError on a negative one.
    """
    if duration < timedelta(0):
        raise ValueError("a duration is never negative")
    for unit, size in _UNITS.items():
        if duration and not duration % size:
            return f"{duration // size}{unit}"
    rest = duration // _UNITS["ms"]
    return f"{rest}ms" if rest else "0s"


def _read(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a duration: {ACCEPTED}")  # noqa: TRY004  pydantic collects ValueError
    return parse_duration(value)


Duration = Annotated[
    timedelta,
    BeforeValidator(_read, json_schema_input_type=str),
    PlainSerializer(format_duration, return_type=str),
]
