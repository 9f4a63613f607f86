"""A worker for each destination of the programme."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import httpx

from services.alerts.domain.deliveries import Addressee
from services.alerts.store.outbox import Outbox
from services.alerts.worker.couriers import (
    AlertmanagerCourier,
    Courier,
    SlackCourier,
    WebhookCourier,
)
from services.alerts.worker.delivering import Delivering
from services.alerts.worker.turns import Clock
from shared.process import CannotStart
from shared.programme.alarms import Destination
from shared.senders.alertmanager import AlertmanagerSender
from shared.senders.slack import SlackSender, SlackWebhook
from shared.senders.webhook import Destination as SignedDestination
from shared.senders.webhook import WebhookSender


@dataclass(frozen=True)
class Means:
    """What telling takes. `base`: of links; `webhook_secret`: signs; `slack_url`: by name.

    `alertmanager_url`: of every Alertmanager, in place of the programme's; empty where it holds.
    """

    client: httpx.AsyncClient
    clock: Clock
    base: str
    within: timedelta
    webhook_secret: str
    slack_url: Callable[[str], str]
    alertmanager_url: str = ""


def build_tellers(
    destinations: Mapping[str, Destination], means: Means, outbox: Outbox
) -> tuple[Delivering, ...]:
    """The workers. Raises CannotStart where a destination's secret is missing or is none."""
    tellers = []
    for name, destination in destinations.items():
        to, courier = _BUILD[destination.kind](name, destination.url, means)
        tellers.append(Delivering(to, outbox, courier, means.clock))
    return tuple(tellers)


def _alertmanager(name: str, named: str, means: Means) -> tuple[Addressee, Courier]:
    url = means.alertmanager_url or named
    sender = AlertmanagerSender(means.client, url, within=means.within)
    return Addressee(name, url, "alertmanager"), AlertmanagerCourier(
        sender, means.base, means.clock
    )


def _webhook(name: str, url: str, means: Means) -> tuple[Addressee, Courier]:
    try:
        signed = SignedDestination(url, means.webhook_secret)
    except ValueError as error:
        raise _cannot(name, error, "EARSHOT_ALERTS_WEBHOOK_SECRET") from None
    sender = WebhookSender(means.client, signed, means.clock, within=means.within)
    return Addressee(name, url, "webhook"), WebhookCourier(sender, means.base, means.clock)


def _slack(name: str, _: str, means: Means) -> tuple[Addressee, Courier]:
    try:
        webhook = SlackWebhook(means.slack_url(name))
    except ValueError as error:
        raise _cannot(name, error, "EARSHOT_ALERTS_SLACK_URL") from None
    sender = SlackSender(means.client, webhook, within=means.within)
    return Addressee(name, webhook.place, "slack"), SlackCourier(sender, means.base, means.clock)


_BUILD: Mapping[str, Callable[[str, str, Means], tuple[Addressee, Courier]]] = {
    "alertmanager": _alertmanager,
    "webhook": _webhook,
    "slack": _slack,
}


def _cannot(name: str, error: ValueError, variable: str) -> CannotStart:
    return CannotStart(f"alerts.yaml: destinations.{name}: {error}: set {variable}")
