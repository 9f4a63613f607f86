"""The API of scoring, on opened parts."""

from collections.abc import Callable

from fastapi import FastAPI

from services.scoring.api import Reading, build_routers
from services.scoring.app.core import Core
from services.scoring.app.workers import Signs
from services.scoring.domain.lag import behind_s
from services.scoring.metrics import REGISTRY
from services.scoring.store import full_dimensions
from shared.clock import CommonClock
from shared.db import database_check
from shared.keys import KeyFile
from shared.stream import Health, Source
from shared.web import Check, Parts, build_web
from shared.web.door import open_door


def build_scoring_web(
    core: Core, signs: Signs, topics: Check, lag_s: Callable[[], float | None]
) -> FastAPI:
    """The API; no customer ever sees it."""
    reading = Reading(
        reader=core.reader,
        dimensions=core.layout.paths,
        timezone=core.programme.timezone,
        now=core.clock,
        behind=lag_s,
        sufficient=core.programme.scores.sufficient,
        scores=core.programme.scores,
        segments=core.programme.segments,
        surveys=frozenset(core.programme.surveys),
        alike=core.alike,
    )

    async def consumer() -> str | None:
        return signs.health.fault()

    async def dimensions() -> str | None:
        full = await full_dimensions(core.engine, core.settings.scoring_values)
        return f"full, further values count as other: {', '.join(full)}" if full else None

    return build_web(
        "scoring",
        routers=build_routers(reading, signs.closing),
        parts=Parts(
            needed={
                "database": database_check(core.engine),
                "topics": topics,
                "consumer": consumer,
            },
            named={"dimensions": dimensions},
            loops=[signs.health],
        ),
        registry=REGISTRY,
        keys=KeyFile(core.settings.keys_file, REGISTRY.keys),
        door=open_door(core.settings),
    )


def behind(source: Source, health: Health, clock: CommonClock) -> Callable[[], float | None]:
    """How far behind the consumer is, in seconds."""

    def lag_s() -> float | None:
        waiting, reading = source.lag().values(), health.weather is None
        return behind_s(clock().timestamp(), waiting, source.newest_ms, reading=reading)

    return lag_s
