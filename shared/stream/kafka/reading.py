"""Read a topic from beginning to end without a group: for operators and tests."""

import asyncio
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.stream.kafka.guards import close_quietly, start_or_unavailable
from shared.stream.records import KafkaUnavailable, Record

_START_S: Final = 10.0
_BOUND_S: Final = 60.0


async def read_all(bootstrap: str, topic: str) -> list[Record]:
    """Every record that the topic holds now, by partition and offset.

    Raises KafkaUnavailable where the broker does not answer within a minute.
    """
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await start_or_unavailable(consumer, what="reader", within_s=_START_S)
    try:
        async with asyncio.timeout(_BOUND_S):
            return await _read(consumer, topic)
    except (KafkaError, TimeoutError) as error:
        raise KafkaUnavailable(f"reading {topic}: {type(error).__name__}") from error
    finally:
        await close_quietly(consumer, what="reader")


async def _read(consumer: AIOKafkaConsumer, topic: str) -> list[Record]:
    await consumer._client._wait_on_metadata(topic)  # noqa: SLF001 - no public way to wait for it
    homes = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic) or ()]
    begins = await consumer.beginning_offsets(homes)
    ends = await consumer.end_offsets(homes)
    todo = {home for home in homes if ends[home] > begins[home]}
    consumer.assign(sorted(todo))
    for home in todo:
        consumer.seek(home, begins[home])
    records = []
    while todo:
        for home, batch in (await consumer.getmany(timeout_ms=500)).items():
            records += [
                Record(topic, home.partition, m.offset, m.key, m.value, m.headers, m.timestamp)
                for m in batch
            ]
            if batch and batch[-1].offset + 1 >= ends[home]:
                todo.discard(home)
    return sorted(records, key=lambda record: (record.partition, record.offset))
