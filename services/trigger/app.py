"""Wires trigger: one consumer, the workers that send and tell, and the API."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.api import Suppressing, build_decisions, build_invitations, build_suppressions
from services.trigger.api.experiments import Laboratory, build_experiments
from services.trigger.consumer import (
    TOPICS,
    Intake,
    build_decoders,
    build_handle,
    build_publish,
)
from services.trigger.domain.precision import pairs_of, targets_of
from services.trigger.handlers import Desk
from services.trigger.metrics import REGISTRY, STREAM
from services.trigger.pages.couriers import MailCourier, WebhookCourier
from services.trigger.pages.links import Links
from services.trigger.pages.mail import Desk as MailDesk
from services.trigger.settings import TriggerSettings
from services.trigger.store.dispatch import DispatchStore
from services.trigger.store.experiments import ExperimentStore
from services.trigger.store.outbox import Outbox
from services.trigger.store.queries import Queries
from services.trigger.store.retention import Keeping
from services.trigger.store.suppressions import SuppressionStore
from services.trigger.worker.counting import run_counting
from services.trigger.worker.dispatch import Dispatch
from services.trigger.worker.due import Due
from services.trigger.worker.reminders import Reminding
from services.trigger.worker.retention import run_retention
from services.trigger.worker.schedules import Schedules
from services.trigger.worker.telling import Telling
from services.trigger.worker.tries import Courier
from shared.broker import find_broker, topics_check
from shared.clock import CommonClock
from shared.db import database_check, open_engine
from shared.events import Topic
from shared.keys import KeyFile
from shared.process import Service
from shared.programme.loading import load_programme
from shared.programme.models import Programme
from shared.senders import lease_for
from shared.senders.email import EmlFolder
from shared.senders.smtp import open_smtp
from shared.senders.webhook import WebhookSender, open_client
from shared.stream import Broker, Health, Pipeline, Producer, Source, consume
from shared.stream.kafka import open_producer, open_room, open_source
from shared.tokens import Tokens
from shared.web import Check, Parts, build_web

ROOM_S: Final = 25.0
USES: Final = (*TOPICS, Topic.SURVEY_DECISIONS, Topic.SURVEY_INVITATIONS, Topic.DEAD_LETTERS)


@dataclass(frozen=True)
class Core:
    """What every part of the service stands on."""

    settings: TriggerSettings
    programme: Programme
    engine: AsyncEngine
    dispatch: Dispatch
    links: Links
    clock: CommonClock

    @property
    def channels(self) -> frozenset[str]:
        """The channels that this deployment can send by."""
        return frozenset(self.dispatch.couriers)

    def wake(self) -> None:
        """Something was stored: what is due is sent, what is new is told."""
        self.dispatch.due.set()
        self.dispatch.news.set()


@asynccontextmanager
async def open_service(settings: TriggerSettings) -> AsyncIterator[Service]:
    """Trigger, ready to be served; closes what it opened."""
    async with AsyncExitStack() as stack:
        core = await open_core(settings, stack)
        broker = await find_broker(settings)
        room = await stack.enter_async_context(open_room(broker, wait_s=ROOM_S))
        producer = await stack.enter_async_context(open_producer(broker, room=room))
        source = await stack.enter_async_context(
            open_source(broker, TOPICS, core.engine, STREAM, group="earshot-trigger")
        )
        yield build_service(core, broker, producer, source)


async def open_core(settings: TriggerSettings, stack: AsyncExitStack) -> Core:
    """Everything but Kafka."""
    programme = load_programme(settings.programme, dedupe=settings.dedupe)
    url, statement = settings.database_for("trigger"), settings.database_statement
    engine = await stack.enter_async_context(
        open_engine(url, schema="trigger", statement=statement)
    )
    clock = CommonClock(engine)
    await clock.look()
    links = Links(settings.public_base, Tokens(settings.signing_keys))
    desk = MailDesk(programme, links, settings.mail_from)
    couriers = await open_couriers(settings, desk, clock, stack)
    dispatch = build_dispatch(settings, engine, couriers, clock, programme)
    return Core(settings, programme, engine, dispatch, links, clock)


async def open_couriers(
    settings: TriggerSettings, desk: MailDesk, clock: CommonClock, stack: AsyncExitStack
) -> dict[str, Courier]:
    """One courier a channel; without a mail server mails become files."""
    couriers: dict[str, Courier] = {}
    within = settings.send_within
    if settings.mail_server is not None:
        name = settings.mail_from.rpartition("@")[2]
        opening = open_smtp(settings.mail_server, name=name, within=within)
        couriers["email"] = MailCourier(await stack.enter_async_context(opening), desk, clock)
    else:
        couriers["email"] = MailCourier(EmlFolder(settings.var / "mail"), desk, clock)
    if settings.destination is not None:
        client = await stack.enter_async_context(open_client())
        hook = WebhookSender(client, settings.destination, clock, within=within)
        couriers["webhook"] = WebhookCourier(hook, desk, clock)
    return couriers


def build_dispatch(
    settings: TriggerSettings,
    engine: AsyncEngine,
    couriers: Mapping[str, Courier],
    clock: CommonClock,
    programme: Programme,
) -> Dispatch:
    """The worker that sends; what it holds is its own for a fifth longer than a try may take."""
    within = settings.send_within
    repeatable = {channel for channel, courier in couriers.items() if courier.repeatable}
    store = DispatchStore(engine, repeatable=repeatable, lease=lease_for(within))
    sends = settings.trigger_sends
    return Dispatch(store, couriers, clock, programme, concurrency=sends, within=within)


def build_service(core: Core, broker: Broker, producer: Producer, source: Source) -> Service:
    """The web application and the workers, on opened parts."""
    settings, engine, dispatch = core.settings, core.engine, core.dispatch
    intake = Intake(core.programme, core.channels, producer, core.clock)
    decoders, handle, health = build_decoders(core.programme), build_handle(intake), Health()
    pipeline = Pipeline("trigger", engine, decoders, handle, producer, STREAM, core.wake)
    publish = build_publish(producer)

    def desk() -> Desk:
        return Desk(core.programme, core.channels, core.clock())

    due = Due(engine, publish, desk, core.wake)
    telling = Telling(Outbox(engine), producer, core.clock, dispatch.news)
    schedules = Schedules(engine, publish, desk, core.wake)
    reminding = Reminding(engine, publish, desk, core.wake)
    keeping = Keeping(settings.dedupe, settings.trigger_retention)

    async def decide(stop: asyncio.Event) -> None:
        await consume(source, pipeline, stop, health)

    async def delete(stop: asyncio.Event) -> None:
        await run_retention(engine, keeping, core.clock, stop)

    async def count(stop: asyncio.Event) -> None:
        await run_counting(engine, pairs_of(targets_of(core.programme).values()), stop)

    web = build_trigger_web(core, health, topics_check(broker, USES))
    deciding = (decide, due.run, schedules.run, reminding.run)
    workers = (core.clock.run, count, *deciding, dispatch.run, telling.run, delete)
    return Service("trigger", web, settings.host, settings.trigger_port, workers)


def build_trigger_web(core: Core, health: Health, topics: Check) -> FastAPI:
    """The API; no customer ever sees it."""
    queries = Queries(core.engine)
    suppressing = Suppressing(SuppressionStore(core.engine), core.clock, core.wake)
    laboratory = Laboratory(ExperimentStore(core.engine), core.programme)

    async def consumer() -> str | None:
        return health.fault()

    async def senders() -> str | None:
        return core.dispatch.fault

    registry = CollectorRegistry()  # the chassis adds its own series, once per application
    registry.register(REGISTRY)
    return build_web(
        "trigger",
        routers=[
            build_decisions(queries, core.programme, core.channels, core.clock),
            build_invitations(queries, core.links.survey),
            build_suppressions(suppressing),
            build_experiments(laboratory, core.clock),
        ],
        parts=Parts(
            needed={
                "database": database_check(core.engine),
                "topics": topics,
                "consumer": consumer,
            },
            named={"senders": senders},
            loops=[health],
        ),
        registry=registry,
        keys=KeyFile(core.settings.keys_file),
    )
