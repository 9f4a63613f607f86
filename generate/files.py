"""Every generated file, and who makes it."""

from collections.abc import Callable, Mapping
from typing import Final

from generate.series import write_series

FILES: Final[Mapping[str, Callable[[], str]]] = {
    "docs/metrics.md": write_series,
}
