"""What every part of the service stands on, and the couriers that send for it."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.metrics import DATABASE, REGISTRY
from services.trigger.pages.couriers import MailCourier, WebhookCourier
from services.trigger.pages.links import Links
from services.trigger.pages.mail import Desk as MailDesk
from services.trigger.settings import TriggerSettings
from services.trigger.store.dispatch import DispatchStore
from services.trigger.worker.dispatch import Dispatch
from services.trigger.worker.tries import Courier
from shared.clock import CommonClock
from shared.db import open_engine
from shared.programme.loading import load_programme
from shared.programme.models import Programme
from shared.senders import lease_for
from shared.senders.email import EmlFolder
from shared.senders.smtp import open_smtp
from shared.senders.webhook import WebhookSender, open_client
from shared.traces import UNTRACED, Traces, open_traces


@dataclass(frozen=True)
class Core:
    """What every part of the service stands on."""

    settings: TriggerSettings
    programme: Programme
    engine: AsyncEngine
    dispatch: Dispatch
    links: Links
    clock: CommonClock
    traces: Traces = UNTRACED

    @property
    def channels(self) -> frozenset[str]:
        """The channels that this deployment can send by."""
        return frozenset(self.dispatch.couriers)

    def wake(self) -> None:
        """Something was stored: what is due is sent, what is new is told."""
        self.dispatch.due.set()
        self.dispatch.news.set()


async def open_core(settings: TriggerSettings, stack: AsyncExitStack) -> Core:
    """Everything but Kafka."""
    programme = load_programme(settings.programme, dedupe=settings.dedupe)
    REGISTRY.show_build(programme.digest)
    url, statement = settings.database_for("trigger"), settings.database_statement
    engine = await stack.enter_async_context(
        open_engine(url, schema="trigger", statement=statement, metrics=DATABASE)
    )
    clock = CommonClock(engine)
    await clock.look()
    traces = await stack.enter_async_context(open_traces(settings, "trigger"))
    links = Links(settings.public_base, settings.tokens)
    desk = MailDesk(programme, links, settings.mail_from)
    couriers = await open_couriers(settings, desk, clock, stack)
    dispatch = build_dispatch(settings, engine, couriers, clock, programme)
    dispatch.traces = traces
    return Core(settings, programme, engine, dispatch, links, clock, traces)


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
