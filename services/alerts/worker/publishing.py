"""Alerts on their topic: write, produce, commit."""

import asyncio
from typing import Final

from services.alerts.metrics import PUBLISHED
from services.alerts.store.outbox import Outbox
from services.alerts.worker.turns import take_turns
from shared.events import Topic
from shared.failpoints import Point, hit
from shared.stream.pipeline import Health, Producer
from shared.stream.records import Outgoing

_MOST: Final = 500


class Publishing:
    """Publishes each change of each alert; one that is sent twice has the same revision."""

    def __init__(self, outbox: Outbox, producer: Producer) -> None:
        self._outbox = outbox
        self._producer = producer
        self.health = Health()

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until stopped."""
        await take_turns("publishing", self.turn, stop, health=self.health, every_s=0.5)

    async def turn(self) -> bool:
        """Publish what was not; say whether there may be more."""
        async with self._outbox.unpublished(_MOST) as records:
            await self._producer.send(
                [
                    Outgoing(Topic.DETRACTOR_ALERTS, alert_id.encode(), record.encode())
                    for alert_id, record in records
                ]
            )
            if records:
                hit(Point.OUTBOX_PRODUCED)
        if records:
            hit(Point.OUTBOX_MARKED)
        PUBLISHED.inc(len(records))
        return len(records) == _MOST
