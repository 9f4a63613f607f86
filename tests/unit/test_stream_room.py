"""Back-pressure of the embedded broker, on a reader made of memory."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from aiokafka.structs import OffsetAndMetadata

from shared.stream import Broker, KafkaUnavailable, Outgoing
from shared.stream.kafka import open_room, room
from shared.stream.kafka.room import Level, Room
from tests.support.raw import RawConsumer

BROKER = Broker("127.0.0.1:1", log="x", embedded=True)
TOPIC = "scored-responses"
RECORD = Outgoing(TOPIC, None, b"x" * 1_000)


class RawReader(RawConsumer):
    """A reader of one partition that ends at 30,000."""

    def __init__(self) -> None:
        super().__init__({TopicPartition(TOPIC, 0): 30_000})
        self.done: dict[TopicPartition, OffsetAndMetadata] = {}
        self._client = SimpleNamespace(_wait_on_metadata=self._partitions)
        self._coordinator = SimpleNamespace(fetch_committed_offsets=self._committed)

    async def _partitions(self, _: str) -> set[int]:
        return {0}

    async def _committed(self, _: Any) -> dict[TopicPartition, OffsetAndMetadata]:
        return self.done


def test_fullness_is_the_greater_of_bytes_and_records() -> None:
    level = Level()
    assert level.fullness() == 0
    for _ in range(1_000):
        level.note(1_000)
    assert level.fullness() == pytest.approx(1_000_000 / 3_145_728)

    level.behind, level.sent, level.sent_bytes = 50_000, 0, 0
    level.size = 1.0

    assert level.fullness() == 1


def test_records_travel_in_portions_and_none_is_left_out() -> None:
    records = [RECORD._replace(value=b"x" * 400_000, key=b"%d" % n) for n in range(7)]

    chunks = list(Room(BROKER, wait_s=1).chunks(records))

    assert [len(chunk) for chunk in chunks] == [3, 3, 1]
    assert [record for chunk in chunks for record in chunk] == records
    assert [len(chunk) for chunk in Room(BROKER, wait_s=1).chunks(records[:3])] == [3]


async def test_room_waits_for_the_reader_and_survives_its_absence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader = RawReader()
    reader.faults = [KafkaConnectionError("away")]
    monkeypatch.setattr(room, "AIOKafkaConsumer", lambda **_: reader)
    monkeypatch.setattr(room, "_LOOK_EVERY_S", 0.001)
    async with open_room(BROKER, wait_s=0.05) as ours:
        assert ours is not None
        ours.note([RECORD._replace(topic="dead-letters")])
        ours.note([RECORD] * 3_000)
        await ours.wait({TOPIC, "dead-letters"})  # not read by anybody yet
        reader.done = {TopicPartition(TOPIC, 0): OffsetAndMetadata(0, "")}
        ours.note([RECORD] * 3_000)
        with pytest.raises(KafkaUnavailable, match="earshot-alerts"):
            await ours.wait({TOPIC})
        waiting = asyncio.create_task(ours.wait({TOPIC}))
        await asyncio.sleep(0.005)
        reader.done = {TopicPartition(TOPIC, 0): OffsetAndMetadata(29_999, "")}
        await waiting

    assert reader.stopped == 3  # one that failed, and one a group


async def test_room_is_what_the_slowest_reader_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    readers = {group: RawReader() for group in ("earshot-alerts", "earshot-trigger")}
    for reader, done in zip(readers.values(), (29_999, 0), strict=True):
        reader.done = {TopicPartition(TOPIC, 0): OffsetAndMetadata(done, "")}
    monkeypatch.setattr(room, "AIOKafkaConsumer", lambda **named: readers[named["group_id"]])
    monkeypatch.setattr(room, "_LOOK_EVERY_S", 0.001)
    async with open_room(BROKER, wait_s=0.05) as ours:
        assert ours is not None
        ours.note([RECORD] * 3_000)
        with pytest.raises(KafkaUnavailable, match="earshot-trigger"):
            await ours.wait({TOPIC})
        readers["earshot-trigger"].done = readers["earshot-alerts"].done
        await asyncio.sleep(0.02)
        await ours.wait({TOPIC})


async def test_room_asks_nobody_while_little_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(room, "AIOKafkaConsumer", lambda **_: asked.append(_))
    monkeypatch.setattr(room, "_LOOK_EVERY_S", 0.001)
    async with open_room(BROKER, wait_s=0.05) as ours:
        assert ours is not None
        ours.note([RECORD] * 100)
        await asyncio.sleep(0.02)

    assert asked == []


async def test_a_real_broker_has_room() -> None:
    async with open_room(Broker("127.0.0.1:1", log="x"), wait_s=1) as ours:
        assert ours is None
