"""Alerts on their topic: write, produce, commit."""

import asyncio
from typing import Final

from opentelemetry.trace import SpanKind

from services.alerts.metrics import PUBLISHED
from services.alerts.store.outbox import News, Outbox
from services.alerts.worker.turns import take_turns
from shared.events import Topic
from shared.failpoints import Point, hit
from shared.stream.pipeline import Health, Producer
from shared.stream.records import Outgoing
from shared.stream.traced import with_trace
from shared.traces import UNTRACED, Traces, traceparent_of

_MOST: Final = 500
_OPENED: Final = f"{Topic.DETRACTOR_ALERTS} publish"


class Publishing:
    """Publishes each change of each alert; one that is sent twice has the same revision."""

    def __init__(self, outbox: Outbox, producer: Producer, traces: Traces = UNTRACED) -> None:
        self._outbox = outbox
        self._producer = producer
        self._traces = traces
        self.health = Health()
        self.news = asyncio.Event()  # wakes it; others' are found when it looks

    async def run(self, stop: asyncio.Event, *, every_s: float = 0.5) -> None:
        """Publish until stopped."""
        await take_turns(
            "publishing", self.turn, stop, health=self.health, every_s=every_s, wake=self.news
        )

    async def turn(self) -> bool:
        """Publish what was not; say whether there may be more."""
        async with self._outbox.unpublished(_MOST) as news:
            await self._producer.send([self._outgoing(one) for one in news])
            if news:
                hit(Point.OUTBOX_PRODUCED)
        if news:
            hit(Point.OUTBOX_MARKED)
        PUBLISHED.inc(len(news))
        return len(news) == _MOST

    def _outgoing(self, news: News) -> Outgoing:
        """An alert that opens comes after the newest of its answers, and links to the others."""
        trace = None
        if news.traces:
            first, *others = news.traces
            about = {"earshot.alert": news.alert_id}
            span = self._traces.begin(
                _OPENED, first, kind=SpanKind.PRODUCER, attributes=about, links=tuple(others)
            )
            if span is not None:
                trace = traceparent_of(span)
                span.end()
        key, value = news.alert_id.encode(), news.record.encode()
        return Outgoing(Topic.DETRACTOR_ALERTS, key, value, with_trace((), trace))
