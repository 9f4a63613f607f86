"""What is kept of an event: what decides, and nothing by which a person is known or reached."""

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any, Final

from shared.programme.views import ENVELOPE, NAMES

Tree = Mapping[str, Any]
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
    kept = _part(data, _tree(tuple(dimensions.values())))
    if "customer" not in kept and isinstance(data.get("customer"), Mapping):
        kept["customer"] = {}
    return kept


@lru_cache(maxsize=8)
def _tree(own: tuple[str | None, ...]) -> Tree:
    """What is kept: by name what of it, nothing where that is all of it."""
    tree: dict[str, Any] = {}
    paths = _NAMED | {tuple(path.split(".")) for path in own if path is not None}
    for path in sorted(paths):
        if any(path[:place] in paths for place in range(1, len(path))):
            continue  # a part of what is kept whole
        branch = tree
        for step in path[:-1]:
            branch = branch.setdefault(step, {})
        branch[path[-1]] = {}
    return tree


def _part(data: Mapping[str, Any], tree: Tree) -> dict[str, Any]:
    kept = {}
    for name, below in tree.items():
        found = data.get(name)
        if below:
            found = _part(found, below) if isinstance(found, Mapping) else None
        if found or (found is not None and not below):
            kept[name] = found
    return kept


def is_kept(path: str, dimensions: Collection[str]) -> bool:
    """Whether a part of the data is kept under a programme with these dimensions' paths."""
    whole = tuple(path.split("."))
    return path in dimensions or any(whole[: len(named)] == named for named in _NAMED)
