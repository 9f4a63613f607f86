import asyncio
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from shared.embedded.kafka import Kafka, running_kafka, start_kafka, stop_kafka
from shared.embedded.processes import StartFailed, is_alive

TOPICS = {"answers": 12}


@pytest.fixture
def var(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    stop_kafka(tmp_path)


async def produce(kafka: Kafka, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")
    await producer.start()
    try:
        await producer.send_and_wait("answers", value, partition=11)
    finally:
        await producer.stop()


async def read_all(kafka: Kafka) -> list[bytes | None]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=20
    )
    consumer.assign([TopicPartition("answers", 11)])
    await consumer.start()
    try:
        found = await consumer.getmany(timeout_ms=300)
        return [record.value for records in found.values() for record in records]
    finally:
        await consumer.stop()


async def test_an_adopted_broker_kept_its_records_and_gains_topics(var: Path) -> None:
    first = await asyncio.to_thread(start_kafka, var, TOPICS)
    await produce(first, b"kept")

    second = await asyncio.to_thread(start_kafka, var, {**TOPICS, "late": 3})

    assert second == Kafka(bootstrap=first.bootstrap, log=first.log, pid=first.pid, adopted=True)
    assert await read_all(second) == [b"kept"]
    assert json.loads((var / "kafka.json").read_text())["topics"] == {"answers": 12, "late": 3}


async def test_a_killed_broker_comes_back_empty_and_under_another_name(var: Path) -> None:
    first = await asyncio.to_thread(start_kafka, var, TOPICS)
    await produce(first, b"lost")
    os.kill(first.pid, signal.SIGKILL)

    assert running_kafka(var) is None
    again = await asyncio.to_thread(start_kafka, var, TOPICS)

    assert again.log != first.log
    assert not again.adopted
    assert await read_all(again) == []


@pytest.mark.thorough
def test_a_broker_that_says_nothing_is_replaced(var: Path) -> None:
    first = start_kafka(var, TOPICS)
    os.kill(first.pid, signal.SIGSTOP)

    assert start_kafka(var, TOPICS).pid != first.pid


async def test_a_group_of_one_is_joined_within_a_second(var: Path) -> None:
    kafka = await asyncio.to_thread(start_kafka, var, TOPICS)
    consumer = AIOKafkaConsumer(
        "answers", bootstrap_servers=kafka.bootstrap, group_id="g", session_timeout_ms=6000
    )
    began = time.monotonic()
    await consumer.start()
    try:
        while not consumer.assignment():
            await consumer.getmany(timeout_ms=20)
        assert len(consumer.assignment()) == 12
        assert time.monotonic() - began < 1
    finally:
        await consumer.stop()


async def test_a_topic_that_is_there_with_other_partitions_is_named(var: Path) -> None:
    first = await asyncio.to_thread(start_kafka, var, TOPICS)
    producer = AIOKafkaProducer(bootstrap_servers=first.bootstrap)
    await producer.start()
    await producer.partitions_for("made-by-asking")
    await producer.stop()

    with pytest.raises(StartFailed, match=r"answers.*12 partitions, not 6"):
        await asyncio.to_thread(start_kafka, var, {"answers": 6})
    with pytest.raises(StartFailed, match="made-by-asking"):
        await asyncio.to_thread(start_kafka, var, {"made-by-asking": 12})
    assert (await asyncio.to_thread(start_kafka, var, {"other": 1})).log == first.log


@pytest.mark.thorough
def test_a_broker_ends_with_its_folder(var: Path) -> None:
    kafka = start_kafka(var, TOPICS)
    (var / "kafka.json").unlink()

    deadline = time.monotonic() + 10
    while is_alive(kafka.pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_stopping_may_be_repeated(var: Path) -> None:
    start_kafka(var, TOPICS)

    assert stop_kafka(var)
    assert not stop_kafka(var)
    assert running_kafka(var) is None
