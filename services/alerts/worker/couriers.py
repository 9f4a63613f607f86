"""How an alert is told to each kind of destination."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import msgspec
import structlog

from services.alerts.domain.alerts import Alert
from services.alerts.domain.deliveries import (
    FIRING_FOR,
    Outcome,
    Step,
    Way,
    after_failure,
    after_gone,
    after_success,
)
from services.alerts.domain.estimates import Severity
from services.alerts.domain.messages import story, title
from services.alerts.store.outbox import Claimed
from services.alerts.worker.turns import Clock
from shared.senders import Sender, SendFailed
from shared.senders.alertmanager import PostedAlert, label_name
from shared.senders.webhook import Delivery

_log = structlog.get_logger()
_OWN_LABELS: Final = ("alertname", "metric", "survey", "severity")

Settled = list[tuple[Claimed, Step]]


class Courier(Protocol):
    """Takes claimed deliveries to one destination and says what became of each."""

    way: Way
    most: int

    async def deliver(self, claimed: Sequence[Claimed]) -> Settled: ...


@dataclass
class WebhookCourier:
    """Each change once, as it is published and in words; the id is alert and revision."""

    sender: Sender[Delivery]
    base: str  # of links
    clock: Clock
    way: Way = Way.EACH_CHANGE
    most: int = 8

    async def deliver(self, claimed: Sequence[Claimed]) -> Settled:
        """Send all at the same time; a receiver orders them by revision."""
        return list(await asyncio.gather(*map(self._deliver, claimed)))

    async def _deliver(self, one: Claimed) -> tuple[Claimed, Step]:
        try:
            body = in_words(one.record, self.base)
            await self.sender.send(Delivery(id=f"{one.alert.id}.{one.revision}", body=body))
        except SendFailed as failed:
            return one, failure(one, failed, self.clock())
        except Exception:  # noqa: BLE001 - a fault of ours in one message must not stop the others
            _log.exception("a message could not be made", alert=one.alert.id, revision=one.revision)
            ours = SendFailed("a fault of ours; it is in the log", permanent=False)
            return one, failure(one, ours, self.clock())
        return one, after_success(goes_on=False, now=self.clock())


@dataclass
class AlertmanagerCourier:
    """The present truth, said again each minute while an alert is open."""

    sender: Sender[Sequence[PostedAlert]]
    base: str  # of links
    clock: Clock
    way: Way = Way.WHILE_FIRING
    most: int = 100

    async def deliver(self, claimed: Sequence[Claimed]) -> Settled:
        """Send all in one request; if it is refused, each alone, so that one spoils no other."""
        now = self.clock()
        try:
            await self.sender.send([posted(c.alert, c.raised_as, self.base, now) for c in claimed])
        except SendFailed as failed:
            if failed.permanent and not failed.gone and len(claimed) > 1:
                return [pair for one in claimed for pair in await self.deliver([one])]
            return [(one, failure(one, failed, self.clock())) for one in claimed]
        return [
            (one, after_success(goes_on=not one.alert.state.is_over, now=self.clock()))
            for one in claimed
        ]


def in_words(record: str, base: str) -> bytes:
    """The published record with `title`, `text` and `link` for people, the same at each try."""
    alert = msgspec.json.decode(record, type=Alert)
    link = link_to(alert, base)
    words = {"title": title(alert), "text": story(alert, link), "link": link}
    return msgspec.json.encode({**msgspec.json.decode(record), **words})


def link_to(alert: Alert, base: str) -> str:
    """Where the alert is read and decided on."""
    return f"{base}/v1/alerts/{alert.id}"


def failure(one: Claimed, failed: SendFailed, now: datetime) -> Step:
    """What follows a failed try. An alert that still fires is tried for as long as it does."""
    if failed.gone:
        return after_gone(one.attempts, detail=failed.detail, now=now)
    step = after_failure(
        one.attempts, one.since, permanent=failed.permanent, detail=failed.detail, now=now
    )
    if step.outcome is Outcome.DEAD and not failed.permanent and one.fires_on:
        return after_failure(one.attempts, now, permanent=False, detail=failed.detail, now=now)
    return step


def posted(alert: Alert, raised_as: Severity, base: str, now: datetime) -> PostedAlert:
    """The alert for Alertmanager: a label set that never changes, numbers in annotations."""
    link = link_to(alert, base)
    labels = {"alertname": "DetractorSpike", "metric": alert.metric, "severity": str(raised_as)}
    if alert.survey:
        labels["survey"] = alert.survey
    for name, value in alert.segment.items():
        labels[label_name(name, taken={*_OWN_LABELS, *labels})] = value
    rate, rise = alert.detractor_rate, alert.rise
    annotations = {
        "summary": title(alert),
        "description": story(alert, link),
        "alert_id": alert.id,
        "answers": str(alert.n),
        "detractors": str(alert.detractors),
        "baseline": f"{rate.baseline:.3f}",
        "current": f"{rate.current:.3f}",
        "rise_points": f"{rise.points:.1f}",
        "severity_now": str(alert.severity),
        "link": link,
    }
    ends_at = now + FIRING_FOR if alert.resolved_at is None else min(alert.resolved_at, now)
    return PostedAlert(
        labels=labels,
        annotations=annotations,
        starts_at=min(alert.opened_at, now),  # clocks differ; it refuses an end before the start
        ends_at=ends_at,
        link=link,
    )
