"""What every part of the service stands on."""

from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.domain.deliveries import Addressee
from services.alerts.domain.parts import policy_of
from services.alerts.settings import AlertsSettings
from services.alerts.store.announcing import Ways
from services.alerts.store.outbox import Outbox
from services.alerts.worker.courtroom import Terms
from services.alerts.worker.delivering import Delivering
from services.alerts.worker.tellers import Means, build_tellers
from shared.clock import CommonClock
from shared.programme.models import Programme
from shared.senders import lease_for
from shared.traces import UNTRACED, Traces


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
        alertmanager_url=settings.alerts_alertmanager_url,
    )
    outbox = Outbox(engine, lease=lease_for(settings.send_within))
    return build_tellers(programme.alerts.destinations, means, outbox)
