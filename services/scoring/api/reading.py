"""What every question needs: the store, the programme's dimensions, the clock, the lag."""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

import asyncpg

from services.scoring.domain.alikeness import Alikeness
from services.scoring.domain.scores import SUFFICIENT
from services.scoring.store.crowding import Widening
from services.scoring.store.reader import Reader
from shared.programme.models import Scoring, Segmentation


@dataclass(frozen=True)
class Reading:
    """How questions are answered.

    `behind` says by how many seconds the consumer is behind, or None where nobody knows.
    `scores` and `segments` are what the programme says of scores and of targets, `surveys` those
    that it names, `alike` how alike answers of one cluster are, as last estimated.
    """

    reader: Reader
    dimensions: Mapping[str, str | None]
    timezone: str
    now: Callable[[], datetime]
    behind: Callable[[], float | None]
    sufficient: int = SUFFICIENT
    scores: Scoring = field(default_factory=Scoring)
    segments: Segmentation = field(default_factory=Segmentation)
    surveys: Collection[str] = ()
    alike: Alikeness = field(default_factory=Alikeness)

    @property
    def widening(self) -> Widening:
        """By how much clusters of answers widen what is said."""
        return Widening(self.reader, self.alike, ZoneInfo(self.timezone))

    @property
    def values_at_most(self) -> int:
        """How many values a dimension has room for."""
        return self.reader.values_at_most

    def snapshot(self) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """A connection on which all statements see the same answers. Raises Unavailable."""
        return self.reader.snapshot()
