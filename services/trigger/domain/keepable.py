"""What is kept of an event: what decides, and nothing by which a person is known or reached."""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from shared.programme.views import ENVELOPE, NAMES

_ADDRESSES: Final = ("event.customer.email", "event.customer.phone")
_NAMED: Final = frozenset(
    tuple(name.split(".")[1:])
    for name in NAMES
    if name not in _ADDRESSES and name.removeprefix("event.") not in ENVELOPE
)


def keepable(data: Mapping[str, Any], dimensions: Mapping[str, str | None]) -> dict[str, Any]:
    """Those parts of an event's data that rules can read and dimensions come from.

    Names, addresses, notes and whatever else an emitter adds are left out; segments stay as they
    are, and so does what the programme itself makes a dimension. A guest is an empty customer.
    """
    somebody = isinstance(data.get("customer"), Mapping)
    kept: dict[str, Any] = {"customer": {}} if somebody else {}
    for path in _paths(tuple(dimensions.values())):
        found = _at(path, data)
        if found is not None:
            _put(path, found, kept)
    return kept


@lru_cache(maxsize=8)
def _paths(own: tuple[str | None, ...]) -> Sequence[tuple[str, ...]]:
    return sorted(_NAMED | {tuple(path.split(".")) for path in own if path is not None})


def is_kept(path: str, dimensions: Collection[str]) -> bool:
    """Whether a part of the data is kept under a programme with these dimensions' paths."""
    whole = tuple(path.split("."))
    return path in dimensions or any(whole[: len(named)] == named for named in _NAMED)


def _at(path: tuple[str, ...], data: Mapping[str, Any]) -> Any:
    found: Any = data
    for step in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(step)
    return found


def _put(path: tuple[str, ...], value: Any, kept: dict[str, Any]) -> None:
    for step in path[:-1]:
        kept = kept.setdefault(step, {})
    kept[path[-1]] = value
