"""Back-pressure for the embedded broker, which keeps 5 MiB a partition and evicts silently.

Room is what a topic can take before a reader loses something: bytes beyond what its slowest reader
has committed, in its fullest partition, and all that was sent since the last look, for it may all
have gone into that one. Who has never read a topic is not waited for: no record waits for him.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.events import Topic
from shared.stream.kafka.guards import close_quietly, start_or_unavailable
from shared.stream.kafka.reach import reach
from shared.stream.records import Broker, KafkaUnavailable, Outgoing

_log = structlog.get_logger()
_LIMIT_BYTES: Final = 3 * 1024 * 1024
_LIMIT_RECORDS: Final = 50_000
_CHUNK_BYTES: Final = 1024 * 1024
_OVERHEAD: Final = 80
_LOOK_EVERY_S: Final = 0.1
_BOUND_S: Final = 2.0

READERS: Final[Mapping[str, Sequence[str]]] = {
    Topic.TRANSACTIONS: ("earshot-trigger",),
    Topic.SUPPORT_CALLS: ("earshot-trigger",),
    Topic.SURVEY_OPTOUTS: ("earshot-trigger",),
    Topic.SURVEY_DECISIONS: ("earshot-scoring",),
    Topic.SURVEY_INVITATIONS: ("earshot-scoring",),
    Topic.SURVEY_RESPONSES: ("earshot-scoring",),
    Topic.SCORED_RESPONSES: ("earshot-alerts", "earshot-trigger"),
}


class Level:
    """How full a topic is, as far as is known."""

    def __init__(self) -> None:
        self.behind = 0  # records, of the fullest partition, at the last look
        self.sent = 0  # records since then
        self.sent_bytes = 0
        self.size = 0.0  # mean bytes of a record

    def note(self, size: int) -> None:
        self.size += (size - self.size) * (0.02 if self.size else 1.0)
        self.sent += 1
        self.sent_bytes += size

    def fullness(self) -> float:
        """1 and more: nothing may be sent before the reader has come closer."""
        bytes_ = self.behind * self.size + self.sent_bytes
        return max(bytes_ / _LIMIT_BYTES, (self.behind + self.sent) / _LIMIT_RECORDS)


class Room:
    """Watches how far the readers of the topics that this process writes are behind."""

    def __init__(self, broker: Broker, *, wait_s: float) -> None:
        self._broker = broker
        self._wait_s = wait_s
        self._levels: dict[str, Level] = {}
        self._changed = asyncio.Condition()
        self._readers: dict[str, Any] = {}

    def chunks(self, records: Sequence[Outgoing]) -> Iterator[Sequence[Outgoing]]:
        """The records in portions that are small against what a partition holds."""
        first = size = 0
        for number, record in enumerate(records):
            size += _size(record)
            if size > _CHUNK_BYTES:
                yield records[first : number + 1]
                first, size = number + 1, 0
        if first < len(records):
            yield records[first:]

    def note(self, records: Sequence[Outgoing]) -> None:
        """Count what was sent since the last look, and how large it was."""
        for record in records:
            if record.topic in READERS:
                self._levels.setdefault(record.topic, Level()).note(_size(record))

    async def wait(self, topics: Collection[str]) -> None:
        """Return once each topic has room; raise KafkaUnavailable after the bound."""
        if not self._full(topics):
            return
        try:
            async with asyncio.timeout(self._wait_s), self._changed:
                await self._changed.wait_for(lambda: not self._full(topics))
        except TimeoutError as error:
            full = sorted(self._full(topics))
            slow = ", ".join(f"{' or '.join(READERS[topic])} ({topic})" for topic in full)
            raise KafkaUnavailable(
                f"the embedded broker has no room, its readers are behind: {slow}"
            ) from error

    def _full(self, topics: Collection[str]) -> list[str]:
        known = self._levels
        return [topic for topic in topics if topic in known and known[topic].fullness() >= 1]

    async def watch(self) -> None:
        """Look at the readers' offsets until cancelled; only where it may be getting full."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            for topic, level in list(self._levels.items()):
                if level.fullness() < 0.25:
                    continue
                try:
                    async with asyncio.timeout(_BOUND_S):
                        await self._look(topic, level)
                except Exception as error:  # noqa: BLE001 - were it to end, writers wait for ever
                    _log.info("room unknown", topic=topic, error=f"{type(error).__name__}: {error}")
            async with self._changed:
                self._changed.notify_all()

    async def waiting(self) -> int:
        """How many records their readers have not taken yet; upstream topics are asked first.

        Raises KafkaUnavailable, or TimeoutError after 2 s.
        """
        async with asyncio.timeout(_BOUND_S):
            return sum(
                [
                    sum((await self._behind(topic, group))[0])
                    for topic, groups in READERS.items()
                    for group in groups
                ]
            )

    async def _look(self, topic: str, level: Level) -> None:
        sent, sent_bytes = level.sent, level.sent_bytes
        found = [await self._behind(topic, group) for group in READERS[topic]]
        level.behind = max(max(behind) if is_read else 0 for behind, is_read in found)
        level.sent -= sent
        level.sent_bytes -= sent_bytes

    async def _behind(self, topic: str, group: str) -> tuple[list[int], bool]:
        """Records not taken, by partition; and whether the group has ever taken one."""
        reader = await self._reader(group)
        name = f"{self._broker.prefix}{topic}"
        # two things that have no public way: a topic's partitions, offsets in one request
        numbers = await reader._client._wait_on_metadata(name)  # noqa: SLF001
        homes = [TopicPartition(name, number) for number in numbers]
        done = await reader._coordinator.fetch_committed_offsets(homes)  # noqa: SLF001
        ends = await reader.end_offsets(homes)
        begins = await reader.beginning_offsets(homes)
        stands = {
            home: max(begins[home], done[home].offset if home in done else 0) for home in ends
        }
        return [ends[home] - stands[home] for home in ends], bool(done)

    async def _reader(self, group: str) -> Any:
        if group not in self._readers:
            reader = AIOKafkaConsumer(
                **reach(self._broker.bootstrap, self._broker.security),
                group_id=f"{self._broker.prefix}{group}",
                enable_auto_commit=False,
            )
            await start_or_unavailable(reader, what="room", within_s=_BOUND_S)
            self._readers[group] = reader
        return self._readers[group]

    async def close(self) -> None:
        await asyncio.gather(*(close_quietly(r, what="room") for r in self._readers.values()))


def _size(record: Outgoing) -> int:
    return len(record.value or b"") + len(record.key or b"") + _OVERHEAD


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
