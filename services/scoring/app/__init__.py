"""Wires scoring: one consumer, those who keep what answers are made of, and the API."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from services.scoring.app.core import Core
from services.scoring.app.web import behind, build_scoring_web
from services.scoring.app.workers import Signs, build_workers
from services.scoring.metrics import DATABASE, PRODUCER, REGISTRY, STREAM
from services.scoring.settings import ScoringSettings
from shared.broker import find_broker, topics_check
from shared.clock import CommonClock
from shared.db import open_engine
from shared.flows import FLOWS, group_of
from shared.process import Service
from shared.programme.loading import load_programme
from shared.stream import Health
from shared.stream.kafka import open_producer, open_room, open_source
from shared.traces import open_traces
from shared.web import TracedRequests

ROOM_S: Final = 25.0
_FLOW: Final = FLOWS["scoring"]


@asynccontextmanager
async def open_service(settings: ScoringSettings) -> AsyncIterator[Service]:
    """Scoring, ready to be served; closes what it opened."""
    programme = load_programme(settings.programme)
    REGISTRY.show_build(programme.digest)
    async with AsyncExitStack() as stack:
        url, statement = settings.database_for("scoring"), settings.database_statement
        engine = await stack.enter_async_context(
            open_engine(
                url, schema="scoring", statement=statement, fresh_plans=True, metrics=DATABASE
            )
        )
        clock = CommonClock(engine)
        await clock.look()
        broker = await find_broker(settings)
        room = await stack.enter_async_context(open_room(broker, wait_s=ROOM_S))
        producer = await stack.enter_async_context(
            open_producer(broker, room=room, metrics=PRODUCER)
        )
        source = await stack.enter_async_context(
            open_source(broker, _FLOW.reads, engine, STREAM, group=group_of("scoring"))
        )
        traces = await stack.enter_async_context(open_traces(settings, "scoring"))
        core = Core(settings, programme, engine, clock, traces)
        signs = Signs(Health(), asyncio.Event())
        lag_s = behind(source, signs.health, clock)
        web = build_scoring_web(core, signs, topics_check(broker, _FLOW.uses), lag_s)
        workers = build_workers(core, producer, source, signs)
        served = TracedRequests(web, traces)
        yield Service("scoring", served, settings.host, settings.scoring_port, workers)
