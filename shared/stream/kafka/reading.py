"""Read a topic from beginning to end without a group: for operators and tests."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.security import PLAINTEXT, Security
from shared.stream.kafka.guards import close_quietly, start_or_unavailable
from shared.stream.kafka.reach import reach
from shared.stream.kafka.topics import need_topics
from shared.stream.records import KafkaUnavailable, Record

_START_S: Final = 10.0
_POLL_MS: Final = 500
_FETCH_MS: Final = 50  # a fetch beyond the end is in the way of the next
_SILENT_S: Final = 20.0
_MAX_RECORDS: Final = 2_000


class Reader:
    """A topic as it was when the reader was opened: `spans` has each partition's offsets."""

    def __init__(self, consumer: Any, topic: str, spans: Mapping[int, range]) -> None:
        self._consumer = consumer
        self._topic = topic
        self.spans = spans

    async def pages(self, spans: Mapping[int, range] | None = None) -> AsyncIterator[list[Record]]:
        """Up to 2,000 records at a time, each partition's in order; again at each call.

        `spans` names other offsets than all. What retention took meanwhile is passed over.
        Raises KafkaUnavailable where nothing comes for 20 s.
        """
        todo = {
            TopicPartition(self._topic, number): span
            for number, span in (self.spans if spans is None else spans).items()
            if span
        }
        self._consumer.assign(sorted(todo))
        for home, span in todo.items():
            self._consumer.seek(home, span.start)
        while todo:
            try:
                async with asyncio.timeout(_SILENT_S):
                    page = await self._page(todo)
            except (KafkaError, TimeoutError) as error:
                raise _unread(self._topic, error) from error
            if page:
                yield page

    async def _page(self, todo: dict[TopicPartition, range]) -> list[Record]:
        """The next records; partitions that are at their end leave `todo`."""
        before = set(todo)
        page: list[Record] = []
        while not page and todo.keys() == before:
            fetched = await self._consumer.getmany(timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
            page = [
                Record(
                    self._topic, home.partition, m.offset, m.key, m.value, m.headers, m.timestamp
                )
                for home, batch in fetched.items()
                if home in todo
                for m in batch
                if m.offset in todo[home]
            ]
            for home in before:
                if await self._consumer.position(home) >= todo[home].stop:
                    self._consumer.pause(home)
                    del todo[home]
        return page


@asynccontextmanager
async def open_reader(
    bootstrap: str, topic: str, security: Security = PLAINTEXT
) -> AsyncIterator[Reader]:
    """Yield a reader of what the topic holds now. Raises KafkaUnavailable within seconds."""
    consumer = AIOKafkaConsumer(
        **reach(bootstrap, security),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=_FETCH_MS,
    )
    await start_or_unavailable(consumer, what="reader", within_s=_START_S)
    try:
        try:
            async with asyncio.timeout(_START_S):
                spans = await _spans(consumer, topic)
        except (KafkaError, TimeoutError) as error:
            raise _unread(topic, error) from error
        yield Reader(consumer, topic, spans)
    finally:
        await close_quietly(consumer, what="reader")


async def read_all(bootstrap: str, topic: str, security: Security = PLAINTEXT) -> list[Record]:
    """Every record that the topic holds now, by partition and offset: for topics that are small."""
    async with open_reader(bootstrap, topic, security) as reader:
        records = [record async for page in reader.pages() for record in page]
    return sorted(records, key=lambda record: (record.partition, record.offset))


async def _spans(consumer: Any, topic: str) -> dict[int, range]:
    await need_topics(consumer._client, [topic])  # noqa: SLF001 - asking would make it
    # there is no public way to wait for it
    numbers = await consumer._client._wait_on_metadata(topic)  # noqa: SLF001
    homes = [TopicPartition(topic, number) for number in sorted(numbers)]
    begins = await consumer.beginning_offsets(homes)
    ends = await consumer.end_offsets(homes)
    return {home.partition: range(begins[home], ends[home]) for home in homes}


def _unread(topic: str, error: Exception) -> KafkaUnavailable:
    why = "it is not there (`python -m services topics` makes it), or Kafka does not answer"
    said = why if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"
    return KafkaUnavailable(f"reading {topic}: {said}")
