"""The consumer of a service: all its topics, placed by the database, never by Kafka.

Rules kept here: the rebalance listener does no I/O; a partition is read from where the database
says; an offset that the broker no longer has is counted, never skipped silently.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.stream.kafka.guards import close_quietly, start_or_unavailable
from shared.stream.metrics import StreamMetrics
from shared.stream.offsets import Offsets
from shared.stream.records import Broker, KafkaUnavailable, Partition, Record

_log = structlog.get_logger()
_BOUND_S: Final = 5.0
_COMMIT_S: Final = 2.0
MAX_RECORDS: Final = 2_000


class KafkaSource(ConsumerRebalanceListener):  # type: ignore[misc]
    """Polls records of partitions that stand where the database says.

    `next_of` maps each placed partition to its stored `next`; `replace` forgets a placement, so
    that it is read again before the partition's next record is taken.
    """

    def __init__(
        self, consumer: Any, offsets: Offsets, metrics: StreamMetrics, *, prefix: str
    ) -> None:
        self._consumer = consumer
        self.offsets = offsets
        self._metrics = metrics
        self._prefix = prefix
        self._paused: set[TopicPartition] = set()
        self.next_of: dict[Partition, int] = {}
        self.newest_ms = 0  # create time of the newest settled record

    # ------------------------------------------------------------------ rebalance: notes only
    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        for tp in revoked:
            self.next_of.pop(self._home(tp), None)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._metrics.rebalances.inc()
        self.next_of.clear()
        self._paused.clear()
        _log.info("partitions assigned", count=len(list(assigned)))

    # ------------------------------------------------------------------ reading
    async def poll(self, wait_s: float) -> list[Record]:
        """Return up to 2,000 records, each partition's in order, none taken before."""
        await self._place()
        return self._fresh(await self._fetch(wait_s))

    async def idle(self, wait_s: float) -> None:
        """Take nothing for a while and stay a member of the group."""
        held = self._consumer.assignment()
        self._pause(held)
        try:
            for home in {self._home(tp) for tp in await self._fetch(wait_s)}:
                self.replace(home)
        finally:
            self._resume(held - self._paused)

    def pause_topic(self, topic: str) -> None:
        mine = {tp for tp in self._consumer.assignment() if self._home(tp).topic == topic}
        self._paused |= mine
        self._pause(mine)

    def resume_topic(self, topic: str) -> None:
        mine = {tp for tp in self._paused if self._home(tp).topic == topic}
        self._paused -= mine
        self._resume(mine & self._consumer.assignment())

    def replace(self, home: Partition) -> None:
        """Forget where a partition stands: it is read from the database again."""
        self.next_of.pop(home, None)

    def rewind(self, home: Partition) -> None:
        """Fetch again from the stored `next`."""
        if home in self.next_of:
            self._seek(home, self.next_of[home])

    # ------------------------------------------------------------------ how far behind
    def lag(self) -> dict[Partition, int]:
        """Records not yet settled, per placed partition."""
        found = {}
        for home, stored in self.next_of.items():
            try:
                end = self._consumer.highwater(self._tp(home))
            except IllegalStateError:
                continue
            found[home] = max(0, (end or stored) - stored)
        return found

    def behind_s(self, now: datetime) -> float:
        """Seconds from the newest settled record to `now`; 0 where nothing waits."""
        if not any(self.lag().values()) or self.newest_ms == 0:
            return 0.0
        return max(0.0, now.timestamp() - self.newest_ms / 1000)

    async def end_offsets(self, topic: str) -> dict[Partition, int]:
        """Where each partition of the topic ends now, whoever owns it."""
        numbers = self._consumer.partitions_for_topic(f"{self._prefix}{topic}") or set()
        homes = [Partition(topic, number) for number in sorted(numbers)]
        return await self._edges(homes, self._consumer.end_offsets)

    async def commit_best_effort(self) -> None:
        """Tell Kafka where we stand: for lag dashboards and KEDA only."""
        moves = {self._tp(home): offset for home, offset in self.next_of.items()}
        mine = {tp: at for tp, at in moves.items() if tp in self._consumer.assignment()}
        if not mine:
            return
        try:
            async with asyncio.timeout(_COMMIT_S):
                await self._consumer.commit(mine)
        except (KafkaError, IllegalStateError, TimeoutError) as error:
            _log.info("commit to kafka skipped", error=type(error).__name__)

    # ------------------------------------------------------------------ inside
    async def _fetch(self, wait_s: float) -> Mapping[TopicPartition, Sequence[Any]]:
        try:
            fetched: Mapping[TopicPartition, Sequence[Any]] = await self._consumer.getmany(
                timeout_ms=int(wait_s * 1000), max_records=MAX_RECORDS
            )
        except NoOffsetForPartitionError:
            return {}  # Kafka does not know where to begin; `_place` does
        except OffsetOutOfRangeError as error:
            await self._skip_gap([self._home(tp) for tp in error.args[0]])
            return {}
        except KafkaError as error:
            raise KafkaUnavailable(f"fetch: {type(error).__name__}: {error}") from error
        return fetched

    def _fresh(self, fetched: Mapping[TopicPartition, Sequence[Any]]) -> list[Record]:
        records = []
        for tp, batch in fetched.items():
            home = self._home(tp)
            first = self.next_of.get(home)
            if first is None:  # assigned inside getmany: not placed yet
                continue
            records += [
                Record(home.topic, home.number, m.offset, m.key, m.value, m.headers, m.timestamp)
                for m in batch
                if m.offset >= first
            ]
        return records

    async def _place(self) -> None:
        homes = [self._home(tp) for tp in self._consumer.assignment()]
        unplaced = [home for home in homes if home not in self.next_of]
        if not unplaced:
            return
        stored = await self.offsets.read(unplaced)
        unknown = [home for home in unplaced if home not in stored]
        if unknown:
            firsts = await self._edges(unknown, self._consumer.beginning_offsets)
            stored |= await self.offsets.start(firsts)
        for home, offset in stored.items():
            self._seek(home, offset)

    async def _skip_gap(self, homes: Sequence[Partition]) -> None:
        begins = await self._edges(homes, self._consumer.beginning_offsets)
        ends = await self._edges(homes, self._consumer.end_offsets)
        for home in homes:
            wanted = self.next_of.get(home)
            if wanted is None:
                continue
            goal = min(max(wanted, begins[home]), ends[home])
            lost = max(0, goal - wanted)
            self._metrics.gaps.labels(home.topic).inc(lost)
            _log.error(
                "records lost: the broker no longer has them",
                topic=home.topic, partition=home.number, wanted=wanted, first=begins[home],
                end=ends[home], lost=lost,
            )  # fmt: skip
            self._consumer.seek(self._tp(home), goal)

    async def _edges(self, homes: Sequence[Partition], ask: Any) -> dict[Partition, int]:
        try:
            async with asyncio.timeout(_BOUND_S):
                found = await ask([self._tp(home) for home in homes])
        except (KafkaError, TimeoutError) as error:
            raise KafkaUnavailable(f"offsets: {type(error).__name__}") from error
        return {self._home(tp): offset for tp, offset in found.items()}

    def _seek(self, home: Partition, offset: int) -> None:
        try:
            self._consumer.seek(self._tp(home), offset)
        except IllegalStateError:  # no longer ours
            self.next_of.pop(home, None)
            return
        self.next_of[home] = offset

    def _pause(self, tps: Iterable[TopicPartition]) -> None:
        held = self._consumer.assignment()
        self._consumer.pause(*[tp for tp in tps if tp in held])

    def _resume(self, tps: Iterable[TopicPartition]) -> None:
        held = self._consumer.assignment()
        self._consumer.resume(*[tp for tp in tps if tp in held])

    def _home(self, tp: TopicPartition) -> Partition:
        return Partition(tp.topic.removeprefix(self._prefix), tp.partition)

    def _tp(self, home: Partition) -> TopicPartition:
        return TopicPartition(f"{self._prefix}{home.topic}", home.number)


@asynccontextmanager
async def open_source(
    broker: Broker,
    topics: Sequence[str],
    engine: AsyncEngine,
    metrics: StreamMetrics,
    *,
    group: str,
) -> AsyncIterator[KafkaSource]:
    """Join the group and yield a source; its offsets live in the engine's schema.

    Raises KafkaUnavailable where the broker does not answer within 30 s.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker.bootstrap,
        group_id=f"{broker.prefix}{group}",
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        fetch_max_wait_ms=20 if broker.embedded else 100,
        session_timeout_ms=3_000 if broker.embedded else 30_000,
        heartbeat_interval_ms=500 if broker.embedded else 3_000,
        max_poll_interval_ms=300_000,
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    offsets = Offsets(engine, group=group, log=broker.log)
    source = KafkaSource(consumer, offsets, metrics, prefix=broker.prefix)
    consumer.subscribe([f"{broker.prefix}{topic}" for topic in topics], listener=source)
    await start_or_unavailable(consumer, what="consumer", within_s=30.0)
    try:
        yield source
    finally:
        await close_quietly(consumer, what="consumer")
