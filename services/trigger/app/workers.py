"""The workers beside the web: one consumer, and what decides, sends, tells and deletes."""

import asyncio
from collections.abc import Mapping, Sequence

from services.trigger.app.core import Core
from services.trigger.consumer import (
    Intake,
    build_decoders,
    build_handle,
    build_publish,
)
from services.trigger.domain.precision import pairs_of, targets_of
from services.trigger.handlers import Desk
from services.trigger.metrics import STREAM
from services.trigger.store.outbox import Outbox
from services.trigger.store.retention import Keeping
from services.trigger.worker.counting import run_counting
from services.trigger.worker.due import Due
from services.trigger.worker.hearing import Hearing
from services.trigger.worker.reminders import Reminding
from services.trigger.worker.retention import run_retention
from services.trigger.worker.schedules import Schedules
from services.trigger.worker.telling import Telling
from shared.events import Topic
from shared.stream import Health, Partition, Pipeline, Producer, consume
from shared.stream.kafka import KafkaSource
from shared.stream.pipeline import Worker


def build_workers(
    core: Core, producer: Producer, source: KafkaSource, health: Health
) -> Sequence[Worker]:
    """They run until the service stops; each on its own."""
    settings, engine, dispatch = core.settings, core.engine, core.dispatch
    intake = Intake(core.programme, core.channels, producer, core.clock)
    decoders, handle = build_decoders(core.programme), build_handle(intake)
    pipeline = Pipeline(
        "trigger", engine, decoders, handle, producer, STREAM, core.wake, core.traces
    )
    publish = build_publish(producer)

    def desk() -> Desk:
        return Desk(core.programme, core.channels, core.clock())

    async def ends() -> Mapping[Partition, int]:
        return await source.end_offsets(Topic.SCORED_RESPONSES)

    hearing = Hearing(ends, source.offsets.read)
    dispatch.reminds = hearing.lately
    due = Due(engine, publish, desk, core.wake)
    telling = Telling(Outbox(engine), producer, core.clock, dispatch.news)
    schedules = Schedules(engine, publish, desk, core.wake)
    reminding = Reminding(engine, publish, desk, core.wake, hearing.until_heard)
    keeping = Keeping(settings.dedupe, settings.trigger_retention)

    async def decide(stop: asyncio.Event) -> None:
        await consume(source, pipeline, stop, health)

    async def delete(stop: asyncio.Event) -> None:
        await run_retention(engine, keeping, core.clock, stop)

    async def count(stop: asyncio.Event) -> None:
        await run_counting(engine, pairs_of(targets_of(core.programme).values()), stop)

    deciding = (decide, due.run, schedules.run, reminding.run)
    return (core.clock.run, count, *deciding, dispatch.run, telling.run, delete)
