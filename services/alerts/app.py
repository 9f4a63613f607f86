"""Wires alerts: one consumer that counts, one judge, those who tell, and the API."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import httpx
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.api import (
    Known,
    Streams,
    build_audit,
    build_destinations,
    build_promise,
    build_router,
    build_sensitivity,
    build_silences,
)
from services.alerts.consumer import GROUP, build_decoders, build_handler
from services.alerts.domain.deliveries import Addressee
from services.alerts.domain.parts import policy_of
from services.alerts.metrics import DATABASE, PRODUCER, REGISTRY, STREAM
from services.alerts.settings import AlertsSettings
from services.alerts.store.announcing import Ways
from services.alerts.store.outbox import Outbox
from services.alerts.worker.auditing import Auditing
from services.alerts.worker.courtroom import Terms
from services.alerts.worker.delivering import Delivering
from services.alerts.worker.judge import Judge
from services.alerts.worker.lookout import Lookout, Where
from services.alerts.worker.publishing import Publishing
from services.alerts.worker.retention import Retention
from services.alerts.worker.tellers import Means, build_tellers
from shared.broker import find_broker, topics_check
from shared.clock import CommonClock
from shared.db import database_check, open_engine
from shared.events import Topic
from shared.flows import FLOWS
from shared.keys import KeyFile
from shared.process import Service
from shared.programme.loading import load_programme
from shared.programme.models import Programme
from shared.senders import lease_for
from shared.senders.webhook import open_client
from shared.stream import Broker, Health, Pipeline, Producer, consume
from shared.stream.kafka import KafkaSource, open_producer, open_source
from shared.traces import UNTRACED, Traces, open_traces
from shared.web import Check, Parts, TracedRequests, build_web

SETTLE_S: Final = 2.0  # longer than scoring pauses between two batches of a replay
_FLOW: Final = FLOWS["alerts"]


@dataclass(frozen=True)
class Core:
    """What every part of the service stands on."""

    settings: AlertsSettings
    programme: Programme
    engine: AsyncEngine
    clock: CommonClock
    delivering: tuple[Delivering, ...]
    traces: Traces = UNTRACED

    @property
    def terms(self) -> Terms:
        lattice = self.programme.segments.lattice
        return Terms(policy_of(self.programme.alerts), lattice, self.ways, self.clock)

    @property
    def addressees(self) -> Mapping[str, Addressee]:
        return {one.name: one.to for one in self.delivering}

    @property
    def ways(self) -> Ways:
        return {one.name: one.courier.way for one in self.delivering}


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
        yield build_service(core, broker, producer, source)


def build_delivering(
    programme: Programme,
    settings: AlertsSettings,
    engine: AsyncEngine,
    clock: CommonClock,
    client: httpx.AsyncClient,
) -> tuple[Delivering, ...]:
    """A worker for each destination. Raises CannotStart where a secret is missing."""
    means = Means(
        client=client,
        clock=clock,
        base=settings.base,
        within=settings.send_within,
        webhook_secret=settings.alerts_webhook_secret.get_secret_value(),
        slack_url=settings.slack_url,
    )
    outbox = Outbox(engine, lease=lease_for(settings.send_within))
    return build_tellers(programme.alerts.destinations, means, outbox)


def build_judge(core: Core, broker: Broker, source: KafkaSource) -> Judge:
    """The judge of this process; it judges when it is elected."""

    async def ends() -> Mapping[int, int]:
        found = await source.end_offsets(Topic.SCORED_RESPONSES)
        return {home.number: end for home, end in found.items()}

    where = Where(GROUP, broker.log, Topic.SCORED_RESPONSES)
    return Judge(core.engine, Lookout(ends, where, settle_s=SETTLE_S), core.terms)


def build_service(core: Core, broker: Broker, producer: Producer, source: KafkaSource) -> Service:
    """The web application and the workers, on opened parts."""
    settings, engine = core.settings, core.engine
    decoders = build_decoders(core.programme.segments.lattice, core.programme.alerts.cluster_by)
    pipeline = Pipeline(
        service="alerts",
        engine=engine,
        decode=decoders,
        handle=build_handler(broker.log),
        producer=producer,
        metrics=STREAM,
        traces=core.traces,
    )
    counting = Health()
    judge = build_judge(core, broker, source)
    publishing = Publishing(Outbox(engine), producer)
    retention = Retention(engine, settings.alerts_retention, core.clock)
    auditing = Auditing(engine, core.terms, core.programme.zone)

    async def count(stop: asyncio.Event) -> None:
        await consume(source, pipeline, stop, counting)

    tellers = [one.run for one in core.delivering]
    web = build_alerts_web(core, counting, judge, publishing, topics_check(broker, _FLOW.uses))
    loops = (count, judge.run, publishing.run, retention.run, auditing.run)
    workers = (core.clock.run, *loops, *tellers)
    served = TracedRequests(web, core.traces)
    return Service("alerts", served, settings.host, settings.alerts_port, workers)


def build_alerts_web(
    core: Core, counting: Health, judge: Judge, publishing: Publishing, topics: Check
) -> FastAPI:
    """The API, with what the service says of itself."""

    async def dimensions() -> str | None:
        full = judge.full_dimensions
        return f"further values count as other: {', '.join(full)}" if full else None

    needed = {
        "database": database_check(core.engine),
        "topics": topics,
        "consumer": _said(counting.fault),
        "judge": _said(judge.health.fault),
        "publishing": _said(publishing.health.fault),
    }
    named = {f"destination {one.name}": _said(one.why_not_told) for one in core.delivering}
    named |= {"dimensions": dimensions, "version": _said(lambda: judge.outdated)}
    loops = [counting, judge.health, publishing.health]
    known = Known(tuple(core.programme.surveys), core.programme.segments.lattice.dimensions)
    return build_web(
        "alerts",
        routers=[
            build_router(core.engine, core.ways, core.clock),
            build_destinations(core.engine, core.addressees, core.clock),
            build_silences(core.engine, known, core.clock),
            build_audit(core.engine),
            build_promise(core.engine, core.terms.policy),
            build_sensitivity(Streams(core.engine, core.terms.policy, core.terms.lattice)),
        ],
        parts=Parts(needed=needed, named=named, loops=loops),
        registry=REGISTRY,
        keys=KeyFile(core.settings.keys_file),
    )


def _said(fault: Callable[[], str | None]) -> Check:
    async def check() -> str | None:
        return fault()

    return check
