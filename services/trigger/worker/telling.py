"""States of invitations on their topic: first the row, then the record."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import structlog

from services.trigger.metrics import PUBLISHED
from services.trigger.store.outbox import News, Outbox
from services.trigger.worker.waiting import LOOK_AGAIN_S, WEATHER, Clock, first_of
from shared.events import Topic
from shared.failpoints import Point, hit
from shared.stream.pipeline import Producer
from shared.stream.records import Outgoing
from shared.wire import encode

_log = structlog.get_logger()
_NEWS: Final = 500
_TOGETHER_S: Final = 0.05  # what changes within it is told in one transaction


@dataclass
class Telling:
    """The worker that publishes states of invitations: first the row, then the record."""

    outbox: Outbox
    producer: Producer
    clock: Clock
    news: asyncio.Event

    async def run(self, stop: asyncio.Event) -> None:
        """Tell until `stop` is set."""
        while not stop.is_set():
            self.news.clear()
            try:
                told = await self.once()
            except WEATHER as error:
                _log.warning("telling waits", error=type(error).__name__)
                told = 0
            if told < _NEWS:
                await first_of((stop,), (), _TOGETHER_S)
                await first_of((self.news, stop), (), LOOK_AGAIN_S)

    async def once(self) -> int:
        """Tell what is untold, at most 500; how many invitations that was."""
        async with self.outbox.untold(_NEWS, self.clock()) as news:
            told = len(news.invitations)
            await self.producer.send(list(_outgoing(news)))
            if told:
                hit(Point.OUTBOX_PRODUCED)
        if told:
            hit(Point.OUTBOX_MARKED)
        PUBLISHED.inc(told)
        return told


def _outgoing(news: News) -> Iterator[Outgoing]:
    for invitation, trace in zip(news.invitations, news.traces, strict=True):
        headers = (("traceparent", trace.encode()),) if trace else ()
        yield Outgoing(
            Topic.SURVEY_INVITATIONS, invitation.id.encode(), encode(invitation), headers
        )
    for decision in news.decisions:
        key = decision.customer_id or decision.event_id
        yield Outgoing(Topic.SURVEY_DECISIONS, key.encode(), encode(decision))
