"""Wires trigger: one consumer, the workers that decide, send and tell, and the API."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from services.trigger.app.core import Core, open_core
from services.trigger.app.web import build_trigger_web
from services.trigger.app.workers import build_workers
from services.trigger.metrics import PRODUCER, STREAM
from services.trigger.settings import TriggerSettings
from shared.broker import find_broker, topics_check
from shared.flows import FLOWS, group_of
from shared.process import Service
from shared.stream import Health
from shared.stream.kafka import open_producer, open_room, open_source
from shared.web import TracedRequests

__all__ = ["Core", "build_trigger_web", "open_core", "open_service"]

ROOM_S: Final = 25.0
_FLOW: Final = FLOWS["trigger"]


@asynccontextmanager
async def open_service(settings: TriggerSettings) -> AsyncIterator[Service]:
    """Trigger, ready to be served; closes what it opened."""
    async with AsyncExitStack() as stack:
        core = await open_core(settings, stack)
        broker = await find_broker(settings)
        room = await stack.enter_async_context(open_room(broker, wait_s=ROOM_S))
        producer = await stack.enter_async_context(
            open_producer(broker, room=room, metrics=PRODUCER)
        )
        source = await stack.enter_async_context(
            open_source(broker, _FLOW.reads, core.engine, STREAM, group=group_of("trigger"))
        )
        health = Health()
        web = build_trigger_web(core, health, topics_check(broker, _FLOW.uses))
        workers = build_workers(core, producer, source, health)
        yield Service(
            "trigger",
            TracedRequests(web, core.traces),
            settings.host,
            settings.trigger_port,
            workers,
        )
