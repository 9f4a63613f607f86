"""What scoring can be told."""

from datetime import timedelta
from typing import ClassVar

from pydantic import Field

from services.scoring.domain.cells import VALUES_AT_MOST
from shared.durations import Duration
from shared.settings import Settings


class ScoringSettings(Settings):
    """Scoring's settings."""

    service: ClassVar[str] = "scoring"

    scoring_port: int = Field(8002, ge=1, le=65535, description="port of scoring")
    scoring_values: int = Field(
        VALUES_AT_MOST,
        ge=1,
        le=VALUES_AT_MOST,
        description="values of one dimension; later ones count as other. Never lower it",
    )
    scoring_columns: int = Field(
        4_000_000,
        ge=0,
        description="newest answers and invitations kept in memory, some 28 bytes each; 0: none",
    )
    scoring_decisions_kept: Duration = Field(
        timedelta(days=90),
        ge=timedelta(days=31),
        description="how long decisions are kept, longer than their topic does; counts stay",
    )
