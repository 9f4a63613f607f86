"""Wires scoring: one consumer, the layout's keeper, and the API."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring.api import Reading, build_routers
from services.scoring.consumer import build_decoders, build_handler
from services.scoring.domain.alikeness import Alikeness
from services.scoring.domain.cells import Layout
from services.scoring.domain.lag import behind_s
from services.scoring.metrics import REGISTRY, SCORES, STREAM
from services.scoring.settings import ScoringSettings
from services.scoring.store import Book, full_dimensions
from services.scoring.store.columns import Columns
from services.scoring.store.crowding import Widening
from services.scoring.store.reader import Reader
from services.scoring.worker import (
    Estimating,
    GaugeBoard,
    keep_alike,
    keep_columns,
    keep_decisions,
    keep_gauges,
    keep_layout,
)
from shared.broker import find_broker, topics_check
from shared.clock import CommonClock
from shared.db import database_check, open_engine
from shared.events import Topic
from shared.keys import KeyFile
from shared.process import Service
from shared.programme.loading import load_programme
from shared.programme.models import Programme
from shared.stream import Broker, Health, Pipeline, Producer, Source, consume
from shared.stream.kafka import open_producer, open_room, open_source
from shared.web import Check, Parts, build_web

ROOM_S: Final = 25.0
TOPICS: Final = (Topic.SURVEY_RESPONSES, Topic.SURVEY_INVITATIONS, Topic.SURVEY_DECISIONS)
USES: Final = (*TOPICS, Topic.SCORED_RESPONSES, Topic.DEAD_LETTERS)


@dataclass(frozen=True)
class Core:
    """What every part of the service stands on."""

    settings: ScoringSettings
    programme: Programme
    engine: AsyncEngine
    clock: CommonClock

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


@asynccontextmanager
async def open_service(settings: ScoringSettings) -> AsyncIterator[Service]:
    """Scoring, ready to be served; closes what it opened."""
    programme = load_programme(settings.programme)
    async with AsyncExitStack() as stack:
        url, statement = settings.database_for("scoring"), settings.database_statement
        engine = await stack.enter_async_context(
            open_engine(url, schema="scoring", statement=statement, fresh_plans=True)
        )
        clock = CommonClock(engine)
        await clock.look()
        broker = await find_broker(settings)
        room = await stack.enter_async_context(open_room(broker, wait_s=ROOM_S))
        producer = await stack.enter_async_context(open_producer(broker, room=room))
        source = await stack.enter_async_context(
            open_source(broker, TOPICS, engine, STREAM, group="earshot-scoring")
        )
        yield build_service(Core(settings, programme, engine, clock), broker, producer, source)


def build_service(core: Core, broker: Broker, producer: Producer, source: Source) -> Service:
    """The web application and the workers, on opened parts."""
    settings, engine, layout = core.settings, core.engine, core.layout
    health, closing = Health(), asyncio.Event()
    surveys = core.programme.surveys
    touchpoints = [name for name, path in layout.paths.items() if path == "touchpoint"]

    def kind_of(survey: str) -> str | None:
        return str(surveys[survey].kind) if survey in surveys else None

    book = Book(values_at_most=settings.scoring_values)
    pipeline = Pipeline(
        service="scoring",
        engine=engine,
        decode=build_decoders(touchpoints),
        handle=build_handler(book, producer, kind_of, core.clock, settings.scoring_decisions_kept),
        producer=producer,
        metrics=STREAM,
    )

    async def score(stop: asyncio.Event) -> None:
        await consume(source, pipeline, stop, health)

    async def lay_out(stop: asyncio.Event) -> None:
        await keep_layout(engine, layout, settings.scoring_values, stop)
        closing.set()

    widening = Widening(core.reader, core.alike, core.programme.zone)
    gauges = core.programme.segments.gauges
    board = GaugeBoard(gauges, core.reader, core.clock, SCORES, widening)

    async def gauge(stop: asyncio.Event) -> None:
        await keep_gauges(board, stop)

    async def forget(stop: asyncio.Event) -> None:
        await keep_decisions(engine, settings.scoring_decisions_kept, core.clock, stop)

    async def remember(stop: asyncio.Event) -> None:
        await keep_columns(core.reader, stop)

    async def estimate(stop: asyncio.Event) -> None:
        await keep_alike(Estimating(widening, layout, core.clock), stop)

    web = build_scoring_web(
        core, health, topics_check(broker, USES), behind(source, health, core.clock), closing
    )
    workers = (core.clock.run, score, lay_out, gauge, forget, remember, estimate)
    return Service("scoring", web, settings.host, settings.scoring_port, workers)


def build_scoring_web(
    core: Core,
    health: Health,
    topics: Check,
    lag_s: Callable[[], float | None],
    closing: asyncio.Event,
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
        return health.fault()

    async def dimensions() -> str | None:
        full = await full_dimensions(core.engine, core.settings.scoring_values)
        return f"full, further values count as other: {', '.join(full)}" if full else None

    registry = CollectorRegistry()  # the chassis adds its own series, once per application
    registry.register(REGISTRY)
    return build_web(
        "scoring",
        routers=build_routers(reading, closing),
        parts=Parts(
            needed={
                "database": database_check(core.engine),
                "topics": topics,
                "consumer": consumer,
            },
            named={"dimensions": dimensions},
            loops=[health],
        ),
        registry=registry,
        keys=KeyFile(core.settings.keys_file),
    )


def behind(source: Source, health: Health, clock: CommonClock) -> Callable[[], float | None]:
    """How far behind the consumer is, in seconds."""

    def lag_s() -> float | None:
        waiting, reading = source.lag().values(), health.weather is None
        return behind_s(clock().timestamp(), waiting, source.newest_ms, reading=reading)

    return lag_s
