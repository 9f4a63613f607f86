"""What every part of scoring stands on."""

from dataclasses import dataclass
from functools import cached_property

from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring.domain.alikeness import Alikeness
from services.scoring.domain.cells import Layout
from services.scoring.settings import ScoringSettings
from services.scoring.store.columns import Columns
from services.scoring.store.reader import Reader
from shared.clock import CommonClock
from shared.programme.models import Programme
from shared.traces import UNTRACED, Traces


@dataclass(frozen=True)
class Core:
    """What every part of the service stands on."""

    settings: ScoringSettings
    programme: Programme
    engine: AsyncEngine
    clock: CommonClock
    traces: Traces = UNTRACED

    @property
    def layout(self) -> Layout:
        """What the programme wants counted."""
        segments = self.programme.segments
        return Layout(dict(segments.paths), segments.pairs)

    @cached_property
    def reader(self) -> Reader:
        """What answers every question, with one cache."""
        kept, values = self.settings.scoring_columns, self.settings.scoring_values
        return Reader(self.engine, values, Columns(kept, values) if kept else None)

    @cached_property
    def alike(self) -> Alikeness:
        """How alike answers of one cluster are; a worker estimates it, replies are widened."""
        return Alikeness(self.programme.segments.clusters)
