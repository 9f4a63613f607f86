"""What is asked over HTTP (contracts, section 5)."""

import asyncio
from collections.abc import Sequence

from fastapi import APIRouter

from services.scoring.api.answers import build_answers
from services.scoring.api.coverage import build_coverage
from services.scoring.api.exports import build_exports
from services.scoring.api.reading import Reading
from services.scoring.api.reasons import build_reasons
from services.scoring.api.scores import build_scores
from services.scoring.api.stream import build_stream

__all__ = ["Reading", "build_routers"]


def build_routers(reading: Reading, closing: asyncio.Event) -> Sequence[APIRouter]:
    """All routes of scoring; open streams end when `closing` is set."""
    return [
        build_scores(reading),
        build_reasons(reading),
        build_coverage(reading),
        build_answers(reading),
        build_exports(reading),
        build_stream(reading, closing),
    ]
