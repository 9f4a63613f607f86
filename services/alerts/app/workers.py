"""What alerts does besides answering: it counts, judges, publishes, tells, audits and deletes."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

from services.alerts.app.core import Core
from services.alerts.consumer import GROUP, build_decoders, build_handler
from services.alerts.metrics import STREAM
from services.alerts.store.outbox import Outbox
from services.alerts.worker.auditing import Auditing
from services.alerts.worker.judge import Judge
from services.alerts.worker.lookout import Lookout, Where
from services.alerts.worker.publishing import Publishing
from services.alerts.worker.retention import Retention
from shared.events import Topic
from shared.stream import Broker, Health, Pipeline, Producer, Worker, consume
from shared.stream.kafka import KafkaSource

SETTLE_S: Final = 2.0  # longer than scoring pauses between two batches of a replay


@dataclass(frozen=True)
class Posts:
    """Those whose state the API tells: who counts, who judges, who publishes."""

    source: KafkaSource
    pipeline: Pipeline
    counting: Health
    judge: Judge
    publishing: Publishing

    @classmethod
    def open(cls, core: Core, broker: Broker, producer: Producer, source: KafkaSource) -> Self:
        """All of them, not yet at work."""
        segments, policy = core.programme.segments, core.programme.alerts
        pipeline = Pipeline(
            service="alerts",
            engine=core.engine,
            decode=build_decoders(segments.lattice, policy.cluster_by),
            handle=build_handler(broker.log),
            producer=producer,
            metrics=STREAM,
            traces=core.traces,
        )
        publishing = Publishing(Outbox(core.engine), producer, core.traces)
        news = [publishing.news, *(one.news for one in core.delivering)]
        judge = build_judge(core, broker, source, news)
        return cls(source, pipeline, Health(), judge, publishing)


def build_judge(
    core: Core, broker: Broker, source: KafkaSource, news: Sequence[asyncio.Event]
) -> Judge:
    """The judge of this process; it judges when it is elected, and sets `news` of alerts."""

    def tell() -> None:
        for event in news:
            event.set()

    async def ends() -> Mapping[int, int]:
        found = await source.end_offsets(Topic.SCORED_RESPONSES)
        return {home.number: end for home, end in found.items()}

    where = Where(GROUP, broker.log, Topic.SCORED_RESPONSES)
    return Judge(
        core.engine, Lookout(ends, where, settle_s=SETTLE_S), replace(core.terms, changed=tell)
    )


def build_workers(core: Core, posts: Posts) -> tuple[Worker, ...]:
    """They run until the service stops; each destination has one of its own."""
    retention = Retention(core.engine, core.settings.alerts_retention, core.clock)
    auditing = Auditing(core.engine, core.terms, core.programme.zone)

    async def count(stop: asyncio.Event) -> None:
        await consume(posts.source, posts.pipeline, stop, posts.counting)

    tellers = [one.run for one in core.delivering]
    loops = (count, posts.judge.run, posts.publishing.run, retention.run, auditing.run)
    return (core.clock.run, *loops, *tellers)
