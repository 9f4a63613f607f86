"""How an alert is told to each kind of destination."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from services.alerts.domain.deliveries import (
    Failed,
    Step,
    Way,
    after_failure,
    after_gone,
    after_success,
)
from services.alerts.store.outbox import Claimed
from services.alerts.worker.bodies import in_blocks, in_words, posted
from services.alerts.worker.turns import Clock
from shared.senders import Sender, SendFailed
from shared.senders.alertmanager import PostedAlert
from shared.senders.slack import SlackMessage
from shared.senders.webhook import Delivery

_log = structlog.get_logger()

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
        return list(await asyncio.gather(*(sent(one, self._send, self.clock) for one in claimed)))

    async def _send(self, one: Claimed) -> None:
        body = in_words(one.record, self.base)
        await self.sender.send(Delivery(id=f"{one.alert.id}.{one.revision}", body=body))


@dataclass
class SlackCourier:
    """Each change once, as blocks that people read, in the order in which they came."""

    sender: Sender[SlackMessage]
    base: str  # of links
    clock: Clock
    way: Way = Way.EACH_CHANGE
    most: int = 1  # a claim lasts for one try
    _left_alone_until: datetime | None = None

    async def deliver(self, claimed: Sequence[Claimed]) -> Settled:
        """Send one after the other; none while Slack asked to be left alone."""
        return [await sent(one, self._send, self.clock) for one in claimed]

    async def _send(self, one: Claimed) -> None:
        until, now = self._left_alone_until, self.clock()
        if until is not None and now < until:
            raise SendFailed("Slack asked to wait", permanent=False, wait=until - now)
        try:
            await self.sender.send(in_blocks(one.record, self.base))
        except SendFailed as failed:
            self._left_alone_until = self.clock() + failed.wait if failed.wait else None
            raise


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


async def sent(
    one: Claimed, send: Callable[[Claimed], Awaitable[None]], clock: Clock
) -> tuple[Claimed, Step]:
    """Send one and say what became of it; never raises, so one message stops no other."""
    try:
        await send(one)
    except SendFailed as failed:
        return one, failure(one, failed, clock())
    except Exception:  # noqa: BLE001 - a fault of ours in one message must not stop the others
        _log.exception("a message could not be made", alert=one.alert.id, revision=one.revision)
        ours = SendFailed("a fault of ours; it is in the log", permanent=False)
        return one, failure(one, ours, clock())
    return one, after_success(goes_on=False, now=clock())


def failure(one: Claimed, failed: SendFailed, now: datetime) -> Step:
    """What follows a failed try. An alert that still fires is tried for as long as it does."""
    if failed.gone:
        return after_gone(one.attempts, detail=failed.detail, now=now)
    why = Failed(failed.detail, failed.permanent, failed.wait or timedelta(0))
    since = now if one.fires_on else one.since
    return after_failure(one.attempts, since, why, now)
