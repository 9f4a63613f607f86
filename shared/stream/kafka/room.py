"""Back-pressure for the embedded broker, which keeps 5 MiB a partition and evicts silently.

Room is what a topic can take before its slowest reader loses something: bytes beyond the reader's
committed offset, per partition, estimated by the mean size of what was sent.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.events import PARTITIONS, Topic
from shared.stream.kafka.guards import close_quietly, start_or_unavailable
from shared.stream.records import Broker, KafkaUnavailable, Outgoing

_log = structlog.get_logger()
_LIMIT_BYTES: Final = 2 * 1024 * 1024
_LIMIT_RECORDS: Final = 20_000
_OVERHEAD: Final = 80
_LOOK_EVERY_S: Final = 0.1
_BOUND_S: Final = 2.0

READERS: Final[Mapping[str, str]] = {
    Topic.TRANSACTIONS: "earshot-trigger",
    Topic.SUPPORT_CALLS: "earshot-trigger",
    Topic.SURVEY_OPTOUTS: "earshot-trigger",
    Topic.SURVEY_INVITATIONS: "earshot-scoring",
    Topic.SURVEY_RESPONSES: "earshot-scoring",
    Topic.SCORED_RESPONSES: "earshot-alerts",
}


class Room:
    """Watches how far the readers of the topics that this process writes are behind."""

    def __init__(self, broker: Broker, *, wait_s: float) -> None:
        self._broker = broker
        self._wait_s = wait_s
        self._watched: set[str] = set()
        self._behind: dict[str, int] = {}
        self._size: dict[str, float] = {}
        self._sent: dict[str, int] = {}
        self._changed = asyncio.Condition()
        self._readers: dict[str, Any] = {}

    def full(self, topic: str) -> bool:
        """Whether the fullest partition of the topic, as last seen, has no room."""
        records = self._behind.get(topic, 0) + 2 * self._sent.get(topic, 0) / PARTITIONS
        too_many = records > _LIMIT_RECORDS
        return too_many or records * self._size.get(topic, 0.0) > _LIMIT_BYTES

    def note(self, records: Sequence[Outgoing]) -> None:
        """Count what was sent since the last look, and how large it was."""
        for record in records:
            if record.topic in READERS:
                self._watched.add(record.topic)
                size = len(record.value or b"") + _OVERHEAD
                mean = self._size.get(record.topic, size)
                self._size[record.topic] = mean + (size - mean) * 0.02
                self._sent[record.topic] = self._sent.get(record.topic, 0) + 1

    async def wait(self, topics: Collection[str]) -> None:
        """Return once each topic has room; raise KafkaUnavailable after the bound."""
        if not any(self.full(topic) for topic in topics):
            return
        try:
            async with asyncio.timeout(self._wait_s), self._changed:
                await self._changed.wait_for(lambda: not any(self.full(t) for t in topics))
        except TimeoutError as error:
            raise KafkaUnavailable(
                "the embedded broker has no room: its reader is behind"
            ) from error

    async def watch(self) -> None:
        """Look at the readers' offsets until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                async with asyncio.timeout(_BOUND_S):
                    for topic in sorted(self._watched):
                        await self._look(topic)
            except (KafkaError, KafkaUnavailable, TimeoutError, OSError) as error:
                _log.debug("room unknown", error=type(error).__name__)
            async with self._changed:
                self._changed.notify_all()

    async def _look(self, topic: str) -> None:
        reader = await self._reader(READERS[topic])
        sent = self._sent.get(topic, 0)
        homes = [
            TopicPartition(f"{self._broker.prefix}{topic}", number) for number in range(PARTITIONS)
        ]
        ends = await reader.end_offsets(homes)
        begins = await reader.beginning_offsets(homes)
        behind = 0
        for home in homes:
            done = await reader.committed(home)
            behind = max(behind, ends[home] - max(done or 0, begins[home]))
        self._behind[topic] = behind
        self._sent[topic] = self._sent.get(topic, 0) - sent

    async def _reader(self, group: str) -> Any:
        if group not in self._readers:
            reader = AIOKafkaConsumer(
                bootstrap_servers=self._broker.bootstrap,
                group_id=f"{self._broker.prefix}{group}",
                enable_auto_commit=False,
            )
            await start_or_unavailable(reader, what="room", within_s=_BOUND_S)
            self._readers[group] = reader
        return self._readers[group]

    async def close(self) -> None:
        for reader in self._readers.values():
            await close_quietly(reader, what="room")


@asynccontextmanager
async def open_room(broker: Broker, *, wait_s: float) -> AsyncIterator[Room | None]:
    """Yield a room for the embedded broker; None for a real one, which keeps what it took."""
    if not broker.embedded:
        yield None
        return
    room = Room(broker, wait_s=wait_s)
    watching = asyncio.create_task(room.watch())
    try:
        yield room
    finally:
        watching.cancel()
        await asyncio.wait({watching})
        await room.close()
