"""The parts of a programme in the operator's words: what a key says, as it would be written."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from shared.durations import format_duration
from shared.programme.asking import NEVER_QUIET, Cap, QuietHours
from shared.programme.rules import Rule
from shared.programme.texts import Texts
from shared.programme.written import Written

Parts = Mapping[str, str]
ABSENT = "not set"
_UNSAID = {"key", "digest"}


def parts_of(thing: Written) -> Parts:
    """Dotted key to what it says; texts by language."""
    return dict(_parts(thing, ""))


def _parts(value: object, path: str) -> Iterator[tuple[str, str]]:
    match value:
        case Written() if not isinstance(value, Cap):
            for name, below in value:
                if name not in _UNSAID:
                    yield from _parts(below, _join(path, name))
        case Texts():
            yield from _parts(dict(value.by_language), path)
        case Mapping():
            for name, below in value.items():
                yield from _parts(below, _join(path, str(name)))
        case _:
            yield path, say(value)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def say(value: object) -> str:
    """One value as it would be written."""
    if value is None:
        return ABSENT
    write = next((write for kind, write in _WRITTEN if isinstance(value, kind)), str)
    return write(value)


def say_cap(cap: Cap) -> str:
    """A cap as a sentence would have it."""
    said = f"{cap.most} in {format_duration(cap.per)} of each {' and '.join(cap.each)}"
    if cap.surveys:
        said += f", of {', '.join(cap.surveys)}"
    return f"{said}, by {', '.join(cap.channels)}" if cap.channels else said


def _say_hours(hours: QuietHours) -> str:
    return "none" if hours == NEVER_QUIET else f"{hours.begin:%H:%M}-{hours.end:%H:%M}"


_WRITTEN: Final[Sequence[tuple[type, Callable[[Any], str]]]] = (
    (bool, lambda yes: str(yes).lower()),
    (float, "{:g}".format),
    (timedelta, format_duration),
    (Rule, lambda rule: rule.text),
    (QuietHours, _say_hours),
    (Cap, say_cap),
    (tuple, lambda values: f"[{', '.join(map(say, values))}]"),
)
