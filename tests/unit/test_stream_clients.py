"""Producer, topics, reading and the guards, on clients that misbehave on request."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError, MessageSizeTooLargeError

from shared.stream import Broker, KafkaUnavailable, Outgoing
from shared.stream.kafka import create_topics, producer, reading, topics
from shared.stream.kafka.guards import start_or_unavailable
from shared.stream.records import TooLargeForKafka
from tests.support.raw import NOWHERE, RawConsumer
from tests.support.stream import eventually

BROKER = Broker("127.0.0.1:1", log="x", embedded=True)
TOPIC = "scored-responses"
AWAY = 1  # a broker that does not answer
RECORD = Outgoing(TOPIC, None, b"x" * 1_000)


class RawProducer:
    """Stands in for an AIOKafkaProducer; `replies` are raised, or None, in turn."""

    client: Any = NOWHERE

    def __init__(self, replies: list[Exception | None]) -> None:
        self.replies = replies
        self.stopped = False

    async def start(self) -> None:
        reply = self.replies.pop(0) if self.replies else None
        if reply is not None:
            raise reply

    async def send(self, topic: str, value: bytes, **_: Any) -> "asyncio.Future[Any]":
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        reply = self.replies.pop(0) if self.replies else None
        if reply is None:
            future.set_result(SimpleNamespace(timestamp_type=1, timestamp=1_763_694_000_000))
        else:
            future.set_exception(reply)
        return future

    async def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[RawProducer]]:
    def make(*replies: Exception | None) -> list[RawProducer]:
        left, found = list(replies), []

        def build(**_: Any) -> RawProducer:
            found.append(RawProducer(left))
            return found[-1]

        monkeypatch.setattr(producer, "AIOKafkaProducer", build)
        monkeypatch.setattr(producer, "START_RETRY_S", 0.001)
        return found

    return make


async def test_a_producer_is_replaced_after_any_error(
    made: Callable[..., list[RawProducer]],
) -> None:
    found = made(None, KafkaError("x"), KafkaConnectionError("still away"), None, None)
    async with producer.open_producer(BROKER) as ours:
        await ours.send([])
        with pytest.raises(KafkaUnavailable, match="KafkaError"):
            await ours.send([RECORD])
        with pytest.raises(KafkaUnavailable, match="not connected"):
            await ours.send([RECORD])
        await eventually(lambda: ours.ready)
        heard: list[int] = []
        ours.stamped = heard.append
        await ours.send([RECORD])

    assert heard == [1_763_694_000_000]
    assert [raw.stopped for raw in found] == [True, True, True]


async def test_what_the_broker_finds_too_large_is_no_weather(
    made: Callable[..., list[RawProducer]],
) -> None:
    made(None, MessageSizeTooLargeError())
    async with producer.open_producer(BROKER) as ours:
        with pytest.raises(TooLargeForKafka):
            await ours.send([RECORD])
        await eventually(lambda: ours.ready)


async def test_two_sends_that_fail_replace_the_producer_once(
    made: Callable[..., list[RawProducer]],
) -> None:
    found = made(None, KafkaError("x"), KafkaError("x"), None)
    async with producer.open_producer(BROKER) as ours:
        failed = await asyncio.gather(
            ours.send([RECORD]), ours.send([RECORD]), return_exceptions=True
        )
        assert [type(error) for error in failed] == [KafkaUnavailable] * 2
        await eventually(lambda: ours.ready)

    assert len(found) == 2


async def test_a_start_that_is_cancelled_closes_what_it_opened() -> None:
    closed: list[str] = []

    class Slow(RawProducer):
        async def start(self) -> None:
            await asyncio.sleep(10)

        async def stop(self) -> None:
            closed.append("stopped")

    task = asyncio.create_task(start_or_unavailable(Slow([]), what="x", within_s=5))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert closed == ["stopped"]


async def test_a_stop_that_lies_or_hangs_is_followed_by_closing_the_connection() -> None:
    closed: list[str] = []

    class Lying(RawProducer):
        async def start(self) -> None:
            raise KafkaConnectionError("away")

        async def stop(self) -> None:
            raise asyncio.CancelledError

        @property
        def client(self) -> Any:
            async def close() -> None:
                closed.append("connection")

            return SimpleNamespace(close=close, **vars(NOWHERE))

    with pytest.raises(KafkaUnavailable):
        await start_or_unavailable(Lying([]), what="x", within_s=5)

    assert closed == ["connection"]


def metadata(*topics: dict[str, Any]) -> SimpleNamespace:
    """The inner client of aiokafka's clients: what it answers, and that it was asked politely."""

    async def send(node: int, request: Any) -> Any:
        if node == AWAY:
            raise KafkaError("not ready")
        assert vars(request)["_allow_auto_topic_creation"] is False
        return SimpleNamespace(to_object=lambda: {"topics": topics})

    brokers = [SimpleNamespace(nodeId=number, host="b", port=number) for number in (AWAY, 2)]
    cluster = SimpleNamespace(brokers=lambda: brokers, controller=2)
    return SimpleNamespace(send=send, cluster=cluster, hosts=[])


@pytest.mark.parametrize("code", [0, 36, 41])
async def test_topics_are_created_or_there_already_or_the_fault_is_named(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    class Admin:
        def __init__(self, **_: Any) -> None:
            self.closed = False

        async def start(self) -> None: ...

        async def close(self) -> None: ...

        async def create_topics(self, wanted: list[Any]) -> Any:
            return SimpleNamespace(topic_errors=[(wanted[0].name, code, "")])

        _client = metadata({"topic": "made", "error_code": 0, "partitions": [{"leader": 2}]})

        async def describe_cluster(self) -> Any:
            return {"cluster_id": "abc", "brokers": [1, 2, 3]}

    monkeypatch.setattr(topics, "AIOKafkaAdminClient", Admin)
    if code == 41:
        with pytest.raises(KafkaUnavailable, match="NotController"):
            await create_topics("b", prefix="p-")
    else:
        assert await create_topics("b", prefix="p-") == (["p-transactions"] if code == 0 else [])

    assert await topics.cluster_id("b") == "abc"
    later = metadata(
        {"topic": "one", "error_code": 0, "partitions": [1]},
        {"topic": "two", "error_code": 3, "partitions": []},
        {"topic": "hidden", "error_code": 29, "partitions": []},
        {"topic": "whole", "error_code": 0, "partitions": [1] * 12},
    )
    monkeypatch.setattr(Admin, "_client", later)
    faults = await topics.topic_faults("b", ["one", "two"], prefix="p-")
    assert len(faults) == 3
    for fault, said in zip(faults, ("1 partitions", "missing", "access control"), strict=True):
        assert said in fault


async def test_reading_a_topic_that_cannot_be_read_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def unknown(_: str) -> set[int]:
        raise KafkaError("no such topic")

    class Reader(RawConsumer):
        _client = SimpleNamespace(**vars(metadata()), _wait_on_metadata=unknown)

    monkeypatch.setattr(reading, "AIOKafkaConsumer", lambda **_: Reader({}))

    with pytest.raises(KafkaUnavailable, match="reading x"):
        await reading.read_all("b", "x")
