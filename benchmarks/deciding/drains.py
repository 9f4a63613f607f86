"""Trigger's loops, run until so many events are decided."""

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.deciding.events import CHANNELS
from services.trigger.consumer import Intake, build_decoders, build_handle, build_publish
from services.trigger.handlers import Desk
from services.trigger.worker.due import Due
from shared.events import Topic
from shared.programme.models import Programme
from shared.stream import Pipeline, Producer, Source, StreamMetrics, consume

LOOK_AGAIN_S = 0.02
TOPICS = (Topic.SUPPORT_CALLS, Topic.TRANSACTIONS)


@dataclass(frozen=True)
class Deciding:
    """Trigger's loops: the consumer, and beside it what decides that which has waited."""

    pipeline: Pipeline
    due: Due


def build_deciding(engine: AsyncEngine, producer: Producer, programme: Programme) -> Deciding:
    """As the service builds them, with the time of this computer."""
    handle = build_handle(Intake(programme, CHANNELS, producer, lambda: datetime.now(UTC)))
    metrics, decoders = StreamMetrics(CollectorRegistry()), build_decoders(programme)
    return Deciding(
        Pipeline("trigger", engine, decoders, handle, producer, metrics),
        Due(
            engine,
            build_publish(producer),
            lambda: Desk(programme, CHANNELS, datetime.now(UTC)),
            lambda: None,
        ),
    )


async def until_decided(source: Source, deciding: Deciding, events: int) -> float:
    """Run trigger's loops until so many events are decided; the seconds in which none was due."""
    stop, due = asyncio.Event(), deciding.due
    upto = sum(source.next_of.values()) + events

    def note() -> None:
        if sum(source.next_of.values()) >= upto:
            stop.set()

    beside = asyncio.create_task(due.run(stop))
    await consume(source, replace(deciding.pipeline, after_commit=note), stop)
    await beside
    idle, left = 0.0, await waiting(due.engine)
    while left:
        if not await due.once():
            paused = time.perf_counter()
            await asyncio.sleep(LOOK_AGAIN_S)
            left = await waiting(due.engine)
            idle += time.perf_counter() - paused
    return idle


async def waiting(engine: AsyncEngine) -> int:
    """How many events wait."""
    async with engine.connect() as connection:
        return int((await connection.execute(text("SELECT count(*) FROM waiting"))).scalar_one())
