"""The series that services show, and those that an expression or a page names."""

import re
from functools import cache

from generate.objectives import OBJECTIVES
from generate.series import REGISTRIES

_ENDINGS = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}
_OF_PROMETHEUS = {"up", "ALERTS"}
_NAMES = re.compile(r"\b(?:earshot[_:][\w:]+|process_\w+|up\b(?=[{)\[ ])|ALERTS\b)")
_WINDOWS = ("5m", "30m", "1h", "6h", "3d")


@cache
def shown_series() -> frozenset[str]:
    """By the names that Prometheus stores."""
    described = [one for registry in REGISTRIES.values() for one in registry.described()]
    stored = {
        f"{one.name}{ending}" for one in described for ending in _ENDINGS.get(one.kind, ("",))
    }
    recorded = {one.series(window) for one in OBJECTIVES for window in _WINDOWS}
    return frozenset(stored | recorded | _OF_PROMETHEUS)


def named(text: str) -> set[str]:
    """The series that it names."""
    return set(_NAMES.findall(text))
