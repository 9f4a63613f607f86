"""What a real Kafka does that the mock does not: topics, sizes, who came too early."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from sqlalchemy.ext.asyncio import AsyncEngine

from services.__main__ import main
from shared.db import open_engine
from shared.embedded.kraft import Kraft
from shared.events import Topic
from shared.stream import Broker, KafkaUnavailable, Outgoing
from shared.stream.kafka import create_topics, open_producer, open_source, read_all
from shared.stream.records import TooLargeForKafka
from tests.support.kafka import draw_prefix, on_real
from tests.support.stream import TOPIC, Rig, eventually, make_tables

pytestmark = pytest.mark.real_kafka


@pytest.fixture
def prefix(kraft: Kraft, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the verbs are told: this Kafka, and topics of this test's own."""
    found = draw_prefix()
    monkeypatch.setenv("EARSHOT_KAFKA_BOOTSTRAP", kraft.bootstrap)
    monkeypatch.setenv("EARSHOT_KAFKA_TOPIC_PREFIX", found)
    monkeypatch.delenv("EARSHOT_KAFKA_EMBEDDED", raising=False)
    return found


@pytest.fixture
async def engine(empty_database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(empty_database_url, schema="public") as engine:
        await make_tables(engine)
        yield engine


@asynccontextmanager
async def admin_of(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def described(bootstrap: str, topic: str) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """A topic's partitions and settings, as Kafka says them."""
    async with admin_of(bootstrap) as admin:
        (found,) = await admin.describe_topics([topic])
        (reply,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    settings = {entry[0]: entry[1] for resource in reply.resources for entry in resource[4]}
    return found["partitions"], settings


async def topics_of(bootstrap: str, prefix: str) -> list[str]:
    async with admin_of(bootstrap) as admin:
        return [name for name in await admin.list_topics() if name.startswith(prefix)]


def test_topics_are_made_once_with_their_partitions_and_retention(
    kraft: Kraft, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["topics"]) == 0
    assert main(["topics"]) == 0
    assert main(["topics", "--check"]) == 0

    assert capsys.readouterr().out.count("created") == len(Topic)
    for topic, days in ((Topic.TRANSACTIONS, 7), (Topic.SURVEY_RESPONSES, 30)):
        partitions, settings = asyncio.run(described(kraft.bootstrap, f"{prefix}{topic}"))
        assert [len(part["replicas"]) for part in partitions] == [1] * 12
        assert settings["retention.ms"] == str(days * 86_400_000)
        assert settings["min.insync.replicas"] == "1"
        assert settings["message.timestamp.type"] == "LogAppendTime"


def test_a_check_makes_nothing_and_names_what_is_missing(
    kraft: Kraft, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["topics", "--check"]) == 1

    assert "survey-responses: missing" in capsys.readouterr().err
    assert asyncio.run(topics_of(kraft.bootstrap, prefix)) == []


def test_a_topic_that_is_too_small_is_named_and_left_as_it_is(
    kraft: Kraft, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def make_small() -> None:
        async with admin_of(kraft.bootstrap) as admin:
            await admin.create_topics([NewTopic(f"{prefix}transactions", 3, 1)])

    asyncio.run(make_small())

    assert main(["topics"]) == 1

    said = capsys.readouterr()
    assert "transactions: 3 partitions, 12 are needed" in said.err
    assert "8 of 9 topics" in said.out


def test_topics_get_more_partitions_and_never_fewer(
    kraft: Kraft, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["topics"]) == 0
    assert main(["topics", "--partitions", "24"]) == 0
    assert main(["topics", "--partitions", "16"]) == 0
    with pytest.raises(SystemExit):
        main(["topics", "--partitions", "8"])

    assert capsys.readouterr().out.count("12 -> 24 partitions") == len(Topic)
    for topic in Topic:
        partitions, _ = asyncio.run(described(kraft.bootstrap, f"{prefix}{topic}"))
        assert len(partitions) == 24


def test_copies_that_cannot_be_had_and_a_kafka_that_is_away_are_told(
    prefix: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["topics", "--replication", "3"]) == 1
    assert "only 1 broker" in capsys.readouterr().err

    monkeypatch.setenv("EARSHOT_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    assert main(["topics"]) == 1
    assert "127.0.0.1" in capsys.readouterr().err


async def test_who_comes_before_the_topics_makes_none_and_begins_when_they_are_there(
    kraft: Kraft, engine: AsyncEngine
) -> None:
    """On Kafka's default asking for a topic makes it, with one partition."""
    broker, rig = Broker(kraft.bootstrap, kraft.log, draw_prefix()), Rig(engine)
    opening = open_source(broker, [TOPIC], engine, rig.metrics, group="earshot-test")
    async with open_producer(broker) as producer, opening as source, rig.running(source):
        await eventually(lambda: "missing" in (rig.health.weather or ""))
        with pytest.raises(KafkaUnavailable, match=f"{broker.prefix}{TOPIC}"):
            await producer.send([Outgoing(TOPIC, None, b"too early")])
        assert await topics_of(kraft.bootstrap, broker.prefix) == []

        await create_topics(kraft.bootstrap, prefix=broker.prefix)
        await producer.send([Outgoing(TOPIC, None, b"in time")])
        assert await rig.until(1) == ["in time"]
        assert len(source.next_of) == 12


async def limit(broker: Broker, most: int) -> None:
    """Let this broker's topic take records up to so many bytes."""
    topic, wanted = f"{broker.prefix}{TOPIC}", {"max.message.bytes": str(most)}
    async with admin_of(broker.bootstrap) as admin:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, wanted)])
    while (await described(broker.bootstrap, topic))[1]["max.message.bytes"] != str(most):
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.2)  # from there to the log it takes a moment more


@on_real
async def test_what_the_broker_finds_too_large_is_said_and_the_next_one_is_taken(
    broker: Broker,
) -> None:
    await limit(broker, 20_000)
    async with open_producer(broker) as producer:
        for large in (os.urandom(30_000), os.urandom(1_500_000)):
            with pytest.raises(TooLargeForKafka):
                await producer.send([Outgoing(TOPIC, b"k", large)])
            await eventually(lambda: producer.ready)
            await producer.send([Outgoing(TOPIC, b"k", b"small")])

    found = await read_all(broker.bootstrap, f"{broker.prefix}{TOPIC}")
    assert [record.value for record in found] == [b"small", b"small"]


@on_real
async def test_the_largest_record_of_ours_fits_into_a_broker_as_it_comes(broker: Broker) -> None:
    largest = Outgoing(
        TOPIC, os.urandom(16 * 1024), os.urandom(896 * 1024), (("h", os.urandom(64 * 1024)),)
    )
    async with open_producer(broker) as producer:
        await producer.send([largest])

    (found,) = await read_all(broker.bootstrap, f"{broker.prefix}{TOPIC}")
    assert (found.key, found.value) == (largest.key, largest.value)


@on_real
async def test_a_foreign_record_of_5_mb_stops_nobody(broker: Broker, engine: AsyncEngine) -> None:
    """Larger than a fetch: Kafka hands it out all the same."""
    await limit(broker, 8_000_000)
    foreign = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, max_request_size=8_000_000)
    await foreign.start()
    for value in (b"before", b"\xff" + os.urandom(5_000_000), b"after"):
        await foreign.send_and_wait(f"{broker.prefix}{TOPIC}", value, key=b"one")
    await foreign.stop()

    rig = Rig(engine)
    async with (
        open_producer(broker) as producer,
        open_source(broker, [TOPIC], engine, rig.metrics, group="earshot-test") as source,
    ):
        rig.producer = producer  # type: ignore[assignment]
        async with rig.running(source):
            assert await rig.until(2) == ["after", "before"]

    (letter,) = await read_all(broker.bootstrap, f"{broker.prefix}{Topic.DEAD_LETTERS}")
    assert dict(letter.headers)["earshot-truncated-from"] == b"5000001"
    assert len(letter.value or b"") == 256 * 1024
