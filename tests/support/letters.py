"""Dead letters as the services write them, and the operator's commands on them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from services.commands.deadletters import run
from services.commands.deadletters.arguments import read_arguments
from shared.errors import Reason, Refused
from shared.events import Topic
from shared.stream import Broker, KafkaUnavailable, Outgoing, Record
from shared.stream.deadletter import dead_letter
from shared.stream.kafka import open_producer, read_all

NOW = datetime(2026, 11, 21, 3, tzinfo=UTC)
RESPONSES = Topic.SURVEY_RESPONSES


def failed(  # one argument for each thing that a letter says
    value: bytes | None = b"{",
    *,
    key: bytes | None = b"k-1",
    headers: Any = (),
    topic: str = RESPONSES,
    reason: Reason = Reason.BAD_JSON,
    detail: str = "the value is not JSON",
    service: str = "scoring",
    ago: timedelta = timedelta(),
    offset: int = 7,
) -> Outgoing:
    """The dead letter of one record."""
    record = Record(topic, 3, offset, key, value, headers, 1_763_694_000_000)
    why = Refused(reason, detail, "id" if reason is Reason.MISSING_FIELD else "")
    return dead_letter(record, why, service=service, now=NOW - ago)


def as_record(sent: Outgoing, partition: int = 0, offset: int = 0) -> Record:
    """What Kafka gives back of what was sent."""
    at = sent.partition if sent.partition is not None else partition
    return Record(sent.topic, at, offset, sent.key, sent.value, sent.headers, 1)


async def put(broker: Broker, *records: Outgoing) -> None:
    async with open_producer(broker) as producer:
        await producer.send(records)


async def held(broker: Broker, topic: str) -> list[Record]:
    """What the topic holds; nothing where nobody has made it yet."""
    try:
        return await read_all(broker.bootstrap, f"{broker.prefix}{topic}")
    except KafkaUnavailable as error:
        if "missing" in str(error):
            return []
        raise


async def deadletters(broker: Broker, *arguments: str) -> int:
    """As `python -m services deadletters …`, in this process; the exit code."""
    return await run(read_arguments(arguments, NOW), broker)


def shapes(records: Sequence[Record]) -> list[tuple[Any, ...]]:
    """Key, value and foreign headers of each."""
    return [
        (r.key, r.value, tuple(h for h in r.headers if not h[0].startswith("earshot-")))
        for r in records
    ]
