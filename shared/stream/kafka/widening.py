"""More partitions for topics that hold something: never fewer, Kafka cannot."""

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.errors import InvalidPartitionsError

from shared.events import Topic
from shared.security import PLAINTEXT, Security
from shared.stream.kafka.topics import describe, open_admin, until_known


async def widen_topics(
    bootstrap: str, partitions: int, *, prefix: str = "", security: Security = PLAINTEXT
) -> dict[str, int]:
    """Give each of our topics so many partitions; return how many those had that had fewer.

    It returns once every broker knows.
    What a partition holds stays there, and later records of a key may come to another one. Who
    runs looks for new partitions every five minutes, and at its start. Raises KafkaUnavailable.
    """
    async with open_admin(bootstrap, security) as admin:
        names = [f"{prefix}{topic}" for topic in Topic]
        found = await describe(admin._client, names)  # noqa: SLF001 - no public way
        had = {topic["topic"]: len(topic["partitions"]) for topic in found}
        widened = {}
        for name in names:
            if 0 < had[name] < partitions and await _widen(admin, name, partitions):
                widened[name] = had[name]
        if widened:
            await until_known(admin, list(widened), partitions)
    return widened


async def _widen(admin: AIOKafkaAdminClient, name: str, partitions: int) -> bool:
    try:
        await admin.create_partitions({name: NewPartitions(partitions)})
    except InvalidPartitionsError:
        return False  # it has as many, which the broker that was asked has not heard yet
    return True
