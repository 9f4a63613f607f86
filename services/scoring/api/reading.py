"""What every question needs: the store, the programme's dimensions, the clock, the lag."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from services.scoring.domain.scores import SUFFICIENT
from services.scoring.store.reader import Reader


@dataclass(frozen=True)
class Reading:
    """How questions are answered. `behind` says by how many seconds the consumer is behind."""

    reader: Reader
    dimensions: Mapping[str, str | None]
    timezone: str
    now: Callable[[], datetime]
    behind: Callable[[], float]
    sufficient: int = SUFFICIENT

    @property
    def values_at_most(self) -> int:
        """How many values a dimension has room for."""
        return self.reader.values_at_most

    def snapshot(self) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """A connection on which all statements see the same answers. Raises Unavailable."""
        return self.reader.snapshot()
