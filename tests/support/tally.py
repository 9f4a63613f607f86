"""What scoring counted, per id, and where its consumers stand."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import make_url

from shared.events import Topic
from shared.stream.kafka import read_all
from tests.support.fleet import Fleet, Replica
from tests.support.load import POINTS, number_of

_SUMS = ", ".join(f"sum(c.p{point})" for point in range(POINTS))
_PROBES = (
    f'SELECT s."values"[1], {_SUMS} FROM scoring.counts c JOIN scoring.series s ON s.id = c.series'
    " WHERE s.slice = 'probe' AND s.survey = $1 GROUP BY 1"
)


@dataclass(frozen=True)
class Tally:
    """What was expected, and what the counts say of each id."""

    expected: int
    lost: frozenset[int]
    double: frozenset[int]
    strange: frozenset[int]  # counted, though never sent

    @property
    def exact(self) -> bool:
        return not (self.lost or self.double or self.strange)

    def without(self, tried: Iterable[int]) -> "Tally":
        """What was tried and not acknowledged may have been counted: that is not strange."""
        return replace(self, strange=self.strange - set(tried))

    def __str__(self) -> str:
        return (
            f"{self.expected} expected: {len(self.lost)} lost, {len(self.double)} double, "
            f"{len(self.strange)} strange"
        )


def compare(expected: Iterable[int], counted: Counter[int]) -> Tally:
    """Per id, never by totals: what is lost here and double there has the right sum."""
    wanted = set(expected)
    return Tally(
        len(wanted),
        lost=frozenset(number for number in wanted if counted[number] < 1),
        double=frozenset(number for number in counted if counted[number] > 1),
        strange=frozenset(number for number in counted if counted[number] and number not in wanted),
    )


async def connect(url: str) -> asyncpg.Connection:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return await asyncpg.connect(plain, timeout=10)


async def counted(database_url: str, survey: str = "") -> Counter[int]:
    """How often each answer of `tests.support.load` is in scoring's counts of that survey."""
    connection = await connect(database_url)
    try:
        rows = await connection.fetch(_PROBES, survey)
    finally:
        await connection.close()
    return Counter(
        {
            number_of(probe, score): int(number)
            for probe, *points in rows
            for score, number in enumerate(points)
            if number
        }
    )


async def fetch(fleet: Fleet, query: str) -> list[str]:
    """The first column of what a query finds, sorted."""
    connection = await connect(fleet.database_url)
    try:
        return sorted(row[0] for row in await connection.fetch(query))
    finally:
        await connection.close()


async def tally(fleet: Fleet, expected: Iterable[int]) -> Tally:
    return compare(expected, await counted(fleet.database_url))


async def lost_on_topic(fleet: Fleet, acked: Iterable[int]) -> set[int]:
    """Which of the acknowledged answers are not on their topic."""
    topic = f"{fleet.prefix}{Topic.SURVEY_RESPONSES}"
    records = await read_all(fleet.ground.kafka.bootstrap, topic)
    there = {int(msgspec.json.decode(r.value or b"{}")["id"].removeprefix("r-")) for r in records}
    return set(acked) - there


async def ends(fleet: Fleet, topic: str) -> dict[int, int]:
    """Where each partition of a topic ends now."""
    name = f"{fleet.prefix}{topic}"
    consumer = AIOKafkaConsumer(bootstrap_servers=fleet.ground.kafka.bootstrap)
    await consumer.start()
    try:
        numbers = await consumer._client._wait_on_metadata(name)  # noqa: SLF001 - no public way
        homes = [TopicPartition(name, number) for number in sorted(numbers)]
        return {tp.partition: end for tp, end in (await consumer.end_offsets(homes)).items()}
    finally:
        await consumer.stop()


async def places(fleet: Fleet, service: str, topic: str) -> dict[int, int]:
    """Where a service stands in each partition, as its database says."""
    connection = await connect(fleet.database_url)
    try:
        rows = await connection.fetch(
            f"SELECT partition, next FROM {service}.offsets WHERE topic = $1", topic
        )
    finally:
        await connection.close()
    return dict(rows)


async def has_no_lag(replica: Replica) -> bool:
    """Whether it says that nothing waits for it; it says so a little later than the database."""
    return not await replica.metric("earshot_consumer_lag_records")


async def until_settled(fleet: Fleet, service: str, topic: str, within_s: float = 90.0) -> None:
    """Return once the service has settled every record that the topic holds now."""
    wanted = {number: end for number, end in (await ends(fleet, topic)).items() if end}
    async with asyncio.timeout(within_s):
        while True:
            stands = await places(fleet, service, topic)
            if all(stands.get(number, 0) >= end for number, end in wanted.items()):
                return
            await asyncio.sleep(0.1)
