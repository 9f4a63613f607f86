"""Topics: created with partitions and retention, checked by name.

Nothing here makes a topic by asking for it: a broker whose `auto.create.topics.enable` is true,
Kafka's default, would make it with one partition.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from random import shuffle
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError, KafkaError, for_code
from aiokafka.protocol.metadata import MetadataRequest

from shared.events import PARTITIONS, Topic
from shared.security import PLAINTEXT, Security
from shared.stream.kafka.reach import reach, told
from shared.stream.records import KafkaUnavailable

_DAY_MS: Final = 86_400_000
RETENTION_DAYS: Final[Mapping[Topic, int]] = {
    Topic.TRANSACTIONS: 7,
    Topic.SUPPORT_CALLS: 7,
    Topic.DETRACTOR_ALERTS: 90,
}
_DEFAULT_DAYS: Final = 30
COPIES: Final = 3
_EXISTS: Final = 36
_UNKNOWN: Final = 3
_DENIED: Final = 29
_PATIENCE_S: Final = 10.0
_PAUSE_S: Final = 0.02


@asynccontextmanager
async def open_admin(bootstrap: str, security: Security) -> AsyncIterator[AIOKafkaAdminClient]:
    """Yield an admin; a fault of Kafka, and ten seconds, are KafkaUnavailable."""
    client = AIOKafkaAdminClient(**reach(bootstrap, security), request_timeout_ms=10_000)
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await client.start()
            yield client
    except (KafkaError, OSError, TimeoutError) as error:
        raise KafkaUnavailable(told("admin", error, client._client)) from error  # noqa: SLF001
    finally:
        await client.close()


async def cluster_id(bootstrap: str, security: Security = PLAINTEXT) -> str:
    """The id of the log that offsets belong to."""
    async with open_admin(bootstrap, security) as admin:
        found = await admin.describe_cluster()
    return str(found["cluster_id"])


async def create_topics(
    bootstrap: str,
    *,
    prefix: str = "",
    replication: int | None = None,
    partitions: int = PARTITIONS,
    security: Security = PLAINTEXT,
) -> list[str]:
    """Create what is missing; return the names created, once every broker knows them.

    Existing topics are left as they are. `replication` None: three copies, or as many as there are
    brokers. With three or more a write is acknowledged by two at least. Raises KafkaUnavailable.
    """
    async with open_admin(bootstrap, security) as admin:
        await _until_led(admin)
        copies = replication or min(COPIES, len((await admin.describe_cluster())["brokers"]))
        wanted = [
            NewTopic(
                name=f"{prefix}{topic}",
                num_partitions=partitions,
                replication_factor=copies,
                topic_configs=topic_config(topic, copies),
            )
            for topic in Topic
        ]
        reply = await admin.create_topics(wanted)
        created = []
        for name, code, said in reply.topic_errors:
            if code == 0:
                created.append(name)
            elif code != _EXISTS:
                raise KafkaUnavailable(f"topic {name}: {for_code(code).__name__}: {said}")
        if created:
            await until_known(admin, created)
    return created


def topic_config(topic: Topic, copies: int) -> dict[str, str]:
    """How long Kafka keeps the topic, by whose clock, and how many copies acknowledge a write."""
    return {
        "retention.ms": str(RETENTION_DAYS.get(topic, _DEFAULT_DAYS) * _DAY_MS),
        "min.insync.replicas": str(2 if copies >= COPIES else 1),
        # Kafka refuses what is an hour ahead: a sender's wrong clock would stop it
        "message.timestamp.type": "LogAppendTime",
    }


async def _until_led(admin: AIOKafkaAdminClient) -> None:
    """A broker that has just come back knows of no broker yet, and of no controller."""
    while admin._client.cluster.controller is None:  # noqa: SLF001 - no public way
        await asyncio.sleep(_PAUSE_S)
        await admin._client.force_metadata_update()  # noqa: SLF001


async def until_known(
    admin: AIOKafkaAdminClient, names: Sequence[str], partitions: int = 1
) -> None:
    """A broker hears of a new topic and of its leaders a little after the controller made it."""
    client = admin._client  # noqa: SLF001 - no public way
    for broker in client.cluster.brokers():
        with suppress(KafkaError):  # away: it will know when it is back
            while True:
                if _all_led(await _described_by(broker.nodeId, client, names), partitions):
                    break
                await asyncio.sleep(_PAUSE_S)


def _all_led(described: Sequence[Mapping[str, Any]], partitions: int) -> bool:
    if any(len(topic["partitions"]) < partitions for topic in described):
        return False
    leaders = [part["leader"] for topic in described for part in topic["partitions"]]
    return not any(topic["error_code"] for topic in described) and min(leaders, default=-1) >= 0


async def topic_faults(
    bootstrap: str, topics: Sequence[str], *, prefix: str = "", security: Security = PLAINTEXT
) -> list[str]:
    """Name each topic that is missing, denied, or has fewer than 12 partitions. Makes none."""
    async with open_admin(bootstrap, security) as admin:
        if not topics:
            return []
        names = [f"{prefix}{topic}" for topic in topics]
        described = await describe(admin._client, names)  # noqa: SLF001 - no public way
    return [fault for topic in described if (fault := _fault(topic)) is not None]


async def need_topics(client: AIOKafkaClient, names: Sequence[str]) -> None:
    """Raise KafkaUnavailable, which names them, where some are missing. Makes none.

    Whoever subscribes to a missing topic hears of it after minutes, whoever writes to it makes it.
    """
    try:
        async with asyncio.timeout(_PATIENCE_S):
            described = await describe(client, names)
    except (KafkaError, OSError, TimeoutError) as error:
        raise KafkaUnavailable(told("topics", error, client)) from error
    missing = [topic["topic"] for topic in described if topic["error_code"] == _UNKNOWN]
    if missing:
        raise KafkaUnavailable(f"missing, `python -m services topics` creates it: {missing}")
    denied = [topic["topic"] for topic in described if topic["error_code"] == _DENIED]
    if denied:
        raise KafkaUnavailable(f"Kafka's access control does not let this user see: {denied}")


async def describe(client: AIOKafkaClient, names: Sequence[str]) -> Sequence[dict[str, Any]]:
    """What some broker says of these topics: one of several may be away."""
    nodes = [broker.nodeId for broker in client.cluster.brokers()]
    shuffle(nodes)
    fault: KafkaError = KafkaConnectionError("no broker is known")
    for node in nodes:
        try:
            return await _described_by(node, client, names)
        except KafkaError as error:
            fault = error
    raise fault


async def _described_by(
    node: int, client: AIOKafkaClient, names: Sequence[str]
) -> Sequence[dict[str, Any]]:
    request = MetadataRequest(list(names), allow_auto_topic_creation=False)
    reply = await client.send(node, request)
    found: Sequence[dict[str, Any]] = reply.to_object()["topics"]
    return found


def _fault(topic: Mapping[str, Any]) -> str | None:
    code, size = topic["error_code"], len(topic["partitions"])
    if code == _UNKNOWN:
        return f"{topic['topic']}: missing; `python -m services topics` creates it"
    if code == _DENIED:
        return f"{topic['topic']}: Kafka's access control does not let this user see it"
    if code:
        return f"{topic['topic']}: {for_code(code).__name__}"
    if size < PARTITIONS:
        return f"{topic['topic']}: {size} partitions, {PARTITIONS} are needed"
    return None
