"""The whole service on the Kafka mock and on Kafka: answers in, scores and records out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer
from pydantic import SecretStr

from services.scoring.app import open_service
from services.scoring.settings import ScoringSettings
from shared.events import ScoredResponse, Topic
from shared.process import Service
from shared.stream import Broker, Outgoing
from shared.stream.kafka import open_producer
from shared.wire import decoder
from tests.support.kafka import on_both
from tests.support.scoring import invitation, record, response
from tests.support.trigger import ROOT


@asynccontextmanager
async def running(database_url: str, broker: Broker) -> AsyncIterator[Service]:
    settings = ScoringSettings(
        kafka_bootstrap=broker.bootstrap,
        kafka_log=broker.log,
        kafka_topic_prefix=broker.prefix,
        kafka_embedded=broker.embedded,
        database_url=SecretStr(database_url),
        programme=ROOT / "programme",
    )
    stop = asyncio.Event()
    async with open_service(settings) as service:
        workers = [asyncio.ensure_future(worker(stop)) for worker in service.workers]
        try:
            yield service
        finally:
            stop.set()
            await asyncio.wait_for(asyncio.gather(*workers), 10)


async def read(broker: Broker, topic: Topic, count: int) -> list[Any]:
    consumer = AIOKafkaConsumer(
        f"{broker.prefix}{topic}",
        bootstrap_servers=broker.bootstrap,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    found: list[Any] = []
    try:
        async with asyncio.timeout(20):
            while len(found) < count:
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    found += records
    finally:
        await consumer.stop()
    return found


async def counted(client: httpx.AsyncClient, n: int) -> Any:
    """The group of region EU, once it has all its answers."""
    async with asyncio.timeout(20):
        while True:
            reply = await client.get("/v1/scores?metric=nps&by=region&window=1h")
            groups = reply.json()["groups"]
            if groups and groups[0]["n"] == n and groups[0]["invited"]:
                return groups[0]
            await asyncio.sleep(0.02)


@on_both
async def test_answers_become_scores_and_records_and_poison_a_dead_letter(
    fresh_database_url: str, broker: Broker
) -> None:
    at = datetime.now(UTC) - timedelta(minutes=5)
    told = [
        response("r-1", 9, answered_at=at, received_at=at, segments={"region": "EU"}),
        response("i-1", 3, answered_at=at, received_at=at, invitation_id="i-1"),
        invitation("i-1", invited_at=at),
        response("r-1", 9, answered_at=at, received_at=at, segments={"region": "EU"}),
    ]
    async with running(fresh_database_url, broker) as service:
        async with open_producer(broker) as producer:
            records = [record(one) for one in told]
            await producer.send([Outgoing(one.topic, one.key, one.value) for one in records])
            await producer.send([Outgoing(Topic.SURVEY_RESPONSES, b"x", b'{"id": 7}')])
        (dead,) = await read(broker, Topic.DEAD_LETTERS, 1)
        transport = httpx.ASGITransport(service.web)
        async with httpx.AsyncClient(transport=transport, base_url="http://scoring") as client:
            group = await counted(client, 2)
            ready = await client.get("/readyz")
        found = await read(broker, Topic.SCORED_RESPONSES, 2)

    headers = dict(dead.headers)
    assert (dead.value, headers["earshot-reason"]) == (b'{"id": 7}', b"wrong-type")
    assert headers["earshot-service"] == b"scoring"
    told_of = [decoder(ScoredResponse).decode(one.value) for one in found]
    joined = max((one for one in told_of if one.id == "i-1"), key=lambda one: one.version)
    assert joined.segments == {"region": "EU", "product": "shoes"}
    assert sum(one.id == "r-1" for one in told_of) == 1
    assert (group["segment"], group["score"]) == ({"region": "EU"}, 0.0)
    assert (group["invited"], group["response_rate"]) == (1, 1.0)
    parts = ready.json()["parts"]  # the mock makes small topics, which is said
    assert (parts["database"], parts["consumer"], parts["dimensions"]) == ("ok", "ok", "ok")
