"""Topics: created with partitions and retention, checked by name."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code

from shared.events import PARTITIONS, Topic
from shared.stream.records import KafkaUnavailable

_DAY_MS: Final = 86_400_000
RETENTION_DAYS: Final[Mapping[Topic, int]] = {
    Topic.TRANSACTIONS: 7,
    Topic.SUPPORT_CALLS: 7,
    Topic.DETRACTOR_ALERTS: 90,
}
_DEFAULT_DAYS: Final = 30
_EXISTS: Final = 36
_PATIENCE_S: Final = 10.0


@asynccontextmanager
async def _admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=10_000)
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await client.start()
            yield client
    except (KafkaError, OSError, TimeoutError) as error:
        raise KafkaUnavailable(f"admin: {type(error).__name__}: {error}") from error
    finally:
        await client.close()


async def cluster_id(bootstrap: str) -> str:
    """The id of the log that offsets belong to."""
    async with _admin(bootstrap) as admin:
        found = await admin.describe_cluster()
    return str(found["cluster_id"])


async def create_topics(bootstrap: str, *, prefix: str = "", replication: int = 1) -> list[str]:
    """Create what is missing; return the names created. Existing topics are left as they are."""
    wanted = [
        NewTopic(
            name=f"{prefix}{topic}",
            num_partitions=PARTITIONS,
            replication_factor=replication,
            topic_configs={"retention.ms": str(RETENTION_DAYS.get(topic, _DEFAULT_DAYS) * _DAY_MS)},
        )
        for topic in Topic
    ]
    async with _admin(bootstrap) as admin:
        reply = await admin.create_topics(wanted)
    created = []
    for name, code, *_ in reply.topic_errors:
        if code == 0:
            created.append(name)
        elif code != _EXISTS:
            raise KafkaUnavailable(f"topic {name}: {for_code(code).__name__}")
    return created


async def topic_faults(bootstrap: str, topics: Sequence[str], *, prefix: str = "") -> list[str]:
    """Name each topic that is missing or has fewer than 12 partitions."""
    names = [f"{prefix}{topic}" for topic in topics]
    async with _admin(bootstrap) as admin:
        described = await admin.describe_topics(names)
    faults = []
    for topic in described:
        size = len(topic.get("partitions", []))
        if topic.get("error_code"):
            faults.append(f"{topic['topic']}: missing; `python -m services topics` creates it")
        elif size < PARTITIONS:
            faults.append(f"{topic['topic']}: {size} partitions, {PARTITIONS} are needed")
    return faults
