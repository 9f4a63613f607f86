"""Ingest on the mock, on Kafka and without either: a 202 is on the topic, a 503 comes in time."""

import asyncio
import json
import os
import signal
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.ingest.app import open_service
from services.ingest.settings import IngestSettings
from shared.embedded.kafka import start_kafka, stop_kafka
from shared.events import Topic
from shared.stream.records import Broker
from tests.support.ingest import KEY, survey_token
from tests.support.kafka import MOCK_PARTITIONS, on_both

ANSWER = {"survey": "post-call", "answers": {"score": 2}}


def settings(broker: Broker) -> IngestSettings:
    return IngestSettings(
        kafka_bootstrap=broker.bootstrap,
        kafka_topic_prefix=broker.prefix,
        kafka_embedded=broker.embedded,
        token_keys=KEY,
        trigger_url="http://127.0.0.1:1",
    )


@asynccontextmanager
async def served(broker: Broker) -> AsyncIterator[httpx.AsyncClient]:
    async with open_service(settings(broker)) as service:
        transport = httpx.ASGITransport(app=service.web)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            yield client


Found = list[tuple[bytes, dict[str, object]]]


async def written(broker: Broker, topic: str, count: int) -> Found:
    """The first `count` records of the topic, and any that came with them."""
    return [one for found in (await by_partition(broker, topic, count)).values() for one in found]


async def by_partition(broker: Broker, topic: str, count: int) -> dict[int, Found]:
    """As `written`, by the partition that holds them, in its order."""
    homes = [TopicPartition(f"{broker.prefix}{topic}", n) for n in range(MOCK_PARTITIONS)]
    reader = AIOKafkaConsumer(
        bootstrap_servers=broker.bootstrap, fetch_max_wait_ms=20, auto_offset_reset="earliest"
    )
    await reader.start()
    try:
        reader.assign(homes)
        found: dict[int, Found] = defaultdict(list)
        async with asyncio.timeout(10):
            while sum(map(len, found.values())) < count:
                for home, records in (await reader.getmany(timeout_ms=200)).items():
                    found[home.partition] += [(r.key, json.loads(r.value)) for r in records]
        return found
    finally:
        await reader.stop()


@on_both
async def test_every_202_is_on_the_topic_once(broker: Broker) -> None:
    async with served(broker) as client:
        replies = await asyncio.gather(
            *(client.post("/v1/responses", json={"id": f"r-{n}", **ANSWER}) for n in range(200))
        )
        batch = [{"id": f"b-{n}", **ANSWER} for n in range(50)]
        many = await client.post("/v1/responses/batch", json=batch)
        page = await client.post(f"/s/{survey_token()}", data={"score": "4"})
        found = await written(broker, Topic.SURVEY_RESPONSES, 251)

    assert {reply.status_code for reply in replies} == {202}
    assert (many.status_code, page.status_code) == (207, 303)
    ids = [str(record["id"]) for _, record in found]
    assert len(ids) == len(set(ids)) == 251
    assert {reply.json()["id"] for reply in replies} < set(ids)
    assert all(key.decode() == record["id"] for key, record in found)


@on_both
async def test_each_partition_holds_every_stretch_of_a_past(broker: Broker) -> None:
    """Else a reader of one partition after another takes days for late by what came first."""
    past = [{"id": f"b-{n}", **ANSWER} for n in range(400)]

    async with served(broker) as client:
        for first in range(0, len(past), 100):
            await client.post("/v1/responses/batch", json=past[first : first + 100])
        found = await by_partition(broker, Topic.SURVEY_RESPONSES, len(past))

    assert len(found) == MOCK_PARTITIONS
    for records in found.values():
        numbers = [int(str(record["id"])[2:]) for _, record in records]
        assert numbers == sorted(numbers)
        assert {number // 100 for number in numbers} == {0, 1, 2, 3}


@on_both
async def test_events_arrive_on_their_topics(broker: Broker) -> None:
    event = {
        "id": "e-1",
        "source": "/s",
        "type": "support_call.ended",
        "time": "2026-11-21T10:00:00Z",
        "data": {"customer": {"id": "c-1"}},
    }

    async with served(broker) as client:
        reply = await client.post("/v1/events", json=event)
        ((key, record),) = await written(broker, Topic.SUPPORT_CALLS, 1)

    assert reply.status_code == 202
    assert (key, record["id"], record["specversion"]) == (b"c-1", "e-1", "1.0")


async def test_without_kafka_ingest_is_ready_and_says_503_in_time() -> None:
    async with served(Broker("127.0.0.1:1", "gone")) as client:
        began = time.monotonic()
        replies = [
            await client.post("/v1/responses", json={"id": "r", **ANSWER}),
            await client.post("/v1/responses/batch", json=[{"id": "r", **ANSWER}]),
            await client.post(f"/s/{survey_token()}", data={"score": "4"}),
        ]
        waited = time.monotonic() - began
        ready = await client.get("/readyz")

    assert [reply.status_code for reply in replies] == [503, 503, 503]
    assert all("retry-after" in reply.headers for reply in replies)
    assert waited < 6
    assert ready.status_code == 200
    assert ready.json()["parts"]["kafka"].startswith("Kafka is away")


@pytest.mark.thorough
async def test_a_frozen_broker_is_503_within_two_seconds_and_comes_back(tmp_path: Path) -> None:
    kafka = await asyncio.to_thread(start_kafka, tmp_path / "var", {Topic.SURVEY_RESPONSES: 12})
    try:
        async with served(Broker(kafka.bootstrap, kafka.log)) as client:
            before = await client.post("/v1/responses", json={"id": "r-1", **ANSWER})
            os.kill(kafka.pid, signal.SIGSTOP)
            began = time.monotonic()
            replies = await asyncio.gather(
                *(client.post("/v1/responses", json={"id": f"x{n}", **ANSWER}) for n in range(40))
            )
            waited = time.monotonic() - began
            os.kill(kafka.pid, signal.SIGCONT)
            async with asyncio.timeout(15):
                while True:
                    after = await client.post("/v1/responses", json={"id": "r-2", **ANSWER})
                    if after.status_code == 202:
                        break
                    await asyncio.sleep(0.1)
    finally:
        await asyncio.to_thread(stop_kafka, tmp_path / "var")

    assert before.status_code == 202
    assert {reply.status_code for reply in replies} == {503}
    assert waited < 2
