"""The producer: acks=all, idempotent, every wait bounded.

A send that is not acknowledged in time raises KafkaUnavailable and the client is replaced in the
background, because aiokafka's idempotent producer can stay stuck after a broker's return. Until
the new one stands, sends fail at once: a caller that must answer within seconds can.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError
from prometheus_client import CollectorRegistry

from shared.failpoints import Point, hit
from shared.stream.kafka.batches import enqueue, enqueue_together, partition_of
from shared.stream.kafka.guards import START_RETRY_S, close_quietly, start_or_unavailable
from shared.stream.kafka.reach import reach
from shared.stream.kafka.room import Room
from shared.stream.kafka.topics import need_topics
from shared.stream.metrics import ProducerMetrics
from shared.stream.records import Broker, KafkaUnavailable, Outgoing, TooLargeForKafka

_log = structlog.get_logger()
_START_S: Final = 5.0
# A broker takes 1 MiB unless it was told otherwise; the value leaves room for key and headers.
_REQUEST: Final = 1024 * 1024
LARGEST: Final = _REQUEST - 128 * 1024
_BY_THE_BROKER: Final = 1  # the kind of timestamp that the topic keeps


def _nobody(at_ms: int) -> None:  # noqa: ARG001 - nobody listens
    return


class KafkaProducer:
    """Sends records and returns once every in-sync replica has them."""

    def __init__(
        self, broker: Broker, *, bound_s: float, room: Room | None, metrics: ProducerMetrics
    ) -> None:
        self._broker = broker
        self._metrics = metrics
        self._bound_s = bound_s
        self._room = room
        self._client: Any = None
        self._turn = 0
        self._known: set[str] = set()
        self.stamped: Callable[[int], None] = _nobody  # is told the broker's time of what it took
        self._reopening: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def ready(self) -> bool:
        return self._client is not None

    async def send(self, records: Sequence[Outgoing], *, together: bool = False) -> None:
        """All of them acknowledged when this returns.

        `together` sends them, all of one topic, into one partition, the next at each call (what is
        over 256 KiB into the next ones): few large batches, where their order does not matter.
        Raises KafkaUnavailable within the bound; some may then have been, or may still be, written.
        Raises TooLargeForKafka for a record that it will never take.
        """
        for record in records:
            if len(record.value or b"") > LARGEST:
                size = len(record.value or b"")
                raise TooLargeForKafka(f"{record.topic}: {size} B, at most {LARGEST} are taken")
        with self._metrics.sending(records):
            await self._send_chunks(records, together=together)

    async def _send_chunks(self, records: Sequence[Outgoing], *, together: bool) -> None:
        if self._room is None:
            await self._send(records, together=together)
            return
        for chunk in self._room.chunks(records):
            await self._room.wait({record.topic for record in chunk})
            await self._send(chunk, together=together)
            self._room.note(chunk)

    async def _send(self, records: Sequence[Outgoing], *, together: bool) -> None:
        if not records:
            return
        client = self._client
        if client is None:
            self._reopen()
            raise KafkaUnavailable("the producer is not connected")
        try:
            async with asyncio.timeout(self._bound_s):
                await self._need(client, {record.topic for record in records})
                acks = await asyncio.gather(
                    *await self._enqueue(client, records, together=together)
                )
        except (MessageSizeTooLargeError, RecordListTooLargeError) as error:
            self._replace(client, error)  # what follows would miss the sequence number
            raise TooLargeForKafka(f"produce: {type(error).__name__}: {error}") from error
        except (KafkaError, TimeoutError, OSError) as error:
            self._replace(client, error)
            raise KafkaUnavailable(f"produce: {type(error).__name__}: {error}") from error
        if acks[-1].timestamp_type == _BY_THE_BROKER:
            self.stamped(acks[-1].timestamp)
        hit(Point.PRODUCED)

    async def _need(self, client: Any, topics: Collection[str]) -> None:
        """Raise KafkaUnavailable where a topic is missing, instead of making a small one."""
        if self._broker.embedded or self._known.issuperset(topics):
            return
        await need_topics(client.client, [f"{self._broker.prefix}{topic}" for topic in topics])
        self._known.update(topics)

    async def _enqueue(
        self, client: Any, records: Sequence[Outgoing], *, together: bool
    ) -> list[Any]:
        if not together:
            return await enqueue(client, self._broker.prefix, records)
        self._turn += 1
        topic = f"{self._broker.prefix}{records[0].topic}"
        return await enqueue_together(client, topic, records, self._turn)

    async def open(self) -> None:
        client = AIOKafkaProducer(
            **reach(self._broker.bootstrap, self._broker.security),
            acks="all",
            enable_idempotence=True,
            # 0.6 us a record; aiokafka's lz4 runs at level 9: 4.7 us, and half as large again
            compression_type="zstd",
            linger_ms=0,
            partitioner=partition_of,
            max_batch_size=256 * 1024,
            max_request_size=_REQUEST,
            request_timeout_ms=int(self._bound_s * 1000),
        )
        await start_or_unavailable(client, what="producer", within_s=_START_S)
        self._client = client
        self._metrics.connected.set(1)

    async def close(self) -> None:
        """Within seconds, whatever the broker does."""
        if self._reopening is not None:
            self._reopening.cancel()
            await asyncio.wait({self._reopening})
        if self._client is not None:
            self._abandon()
        if self._leaving:
            await asyncio.wait(self._leaving)

    def _replace(self, client: Any, error: BaseException) -> None:
        if self._client is not client:
            return
        _log.warning("kafka did not acknowledge; reconnecting", error=type(error).__name__)
        self._abandon()
        self._reopen()

    def _abandon(self) -> None:
        client, self._client = self._client, None
        self._metrics.connected.set(0)
        leaving = asyncio.create_task(close_quietly(client, what="producer"))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    def _reopen(self) -> None:
        if self._reopening is None or self._reopening.done():
            self._reopening = asyncio.create_task(self._until_open())

    async def _until_open(self) -> None:
        while self._client is None:
            try:
                await self.open()
            except KafkaUnavailable:
                await asyncio.sleep(START_RETRY_S)
        _log.info("kafka producer connected")


@asynccontextmanager
async def open_producer(
    broker: Broker,
    *,
    bound_s: float = 10.0,
    room: Room | None = None,
    metrics: ProducerMetrics | None = None,
) -> AsyncIterator[KafkaProducer]:
    """Yield a producer that is connected, or connecting where the broker is away."""
    counted = metrics or ProducerMetrics(CollectorRegistry())  # of which nobody hears
    producer = KafkaProducer(broker, bound_s=bound_s, room=room, metrics=counted)
    try:
        await producer.open()
    except KafkaUnavailable as error:
        _log.warning("kafka is away; the producer keeps trying", error=str(error))
        producer._reopen()  # noqa: SLF001 - the same module
    try:
        yield producer
    finally:
        await producer.close()
