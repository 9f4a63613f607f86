"""Wires alerts: one consumer that counts, one judge, those who tell, and the API."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from services.alerts.app.core import Core, build_delivering
from services.alerts.app.web import build_alerts_web
from services.alerts.app.workers import Posts, build_workers
from services.alerts.consumer import GROUP
from services.alerts.metrics import DATABASE, PRODUCER, REGISTRY, STREAM
from services.alerts.settings import AlertsSettings
from shared.broker import find_broker, topics_check
from shared.clock import CommonClock
from shared.db import open_engine
from shared.flows import FLOWS
from shared.process import Service
from shared.programme.loading import load_programme
from shared.senders.webhook import open_client
from shared.stream.kafka import open_producer, open_source
from shared.traces import open_traces
from shared.web import TracedRequests

_FLOW: Final = FLOWS["alerts"]


@asynccontextmanager
async def open_service(settings: AlertsSettings) -> AsyncIterator[Service]:
    """Alerts, ready to be served; closes what it opened."""
    async with AsyncExitStack() as stack:
        programme = load_programme(settings.programme)
        REGISTRY.show_build(programme.digest)
        url = settings.database_for("alerts")
        engine = await stack.enter_async_context(
            open_engine(
                url, schema="alerts", statement=settings.database_statement, metrics=DATABASE
            )
        )
        clock = CommonClock(engine)
        await clock.look()
        client = await stack.enter_async_context(open_client())
        delivering = build_delivering(programme, settings, engine, clock, client)
        traces = await stack.enter_async_context(open_traces(settings, "alerts"))
        core = Core(settings, programme, engine, clock, delivering, traces)
        broker = await find_broker(settings)
        producer = await stack.enter_async_context(open_producer(broker, metrics=PRODUCER))
        source = await stack.enter_async_context(
            open_source(broker, _FLOW.reads, engine, STREAM, group=GROUP)
        )
        posts = Posts.open(core, broker, producer, source)
        web = build_alerts_web(core, posts, topics_check(broker, _FLOW.uses))
        workers = build_workers(core, posts)
        served = TracedRequests(web, traces)
        yield Service("alerts", served, settings.host, settings.alerts_port, workers)
