"""A deployment in which one service dies at one step, is started again, and is looked at."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.admin import DescribeGroupsRequest
from aiokafka.protocol.coordination import FindCoordinatorRequest
from aiokafka.protocol.group import LeaveGroupRequest

from shared.events import PARTITIONS
from shared.failpoints import VARIABLE, Point
from shared.stream import Outgoing, Record
from shared.stream.kafka import open_producer, read_all
from tests.support.fleet import Fleet, Replica
from tests.support.tally import connect

_DEAD_S = 60.0
_PAUSE_S = 0.03


@dataclass
class Site:
    """One deployment, and the step at which its service dies."""

    fleet: Fleet
    point: Point

    async def die(self, replica: Replica, *, passes: int = 1) -> None:
        """Let it live until it dies at the step, as by kill -9."""
        replica.launch(**{VARIABLE: f"{self.point}:{passes}"})
        code = await replica.ended(_DEAD_S)
        assert code == -signal.SIGKILL, f"exit {code}:\n{replica.log()[-3000:]}"
        assert f"failpoint {self.point}: killed" in replica.log()

    async def revive(self, replica: Replica) -> None:
        """Start it again, as what is left behind by a machine that died is found by another."""
        await evict(self.fleet, f"earshot-{replica.service}")
        await replica.start()

    @asynccontextmanager
    async def flowing(self, chunk: Callable[[int], Sequence[Outgoing]]) -> AsyncIterator[None]:
        """Write chunk after chunk to Kafka meanwhile; at the end all are acknowledged."""
        stop = asyncio.Event()

        async def flow() -> None:
            number = 0
            async with open_producer(self.fleet.broker) as producer:
                while not stop.is_set():
                    await producer.send(chunk(number))
                    number += 1
                    await asyncio.sleep(_PAUSE_S)

        async with asyncio.TaskGroup() as group:
            group.create_task(flow())
            yield
            stop.set()

    async def feed(self, records: Sequence[Outgoing]) -> None:
        async with open_producer(self.fleet.broker) as producer:
            await producer.send(records)

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        connection = await connect(self.fleet.database_url)
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    async def until_none(self, query: str, within_s: float = 30.0) -> None:
        """Return once the query finds nothing."""
        async with asyncio.timeout(within_s):
            while await self.rows(query):
                await asyncio.sleep(0.05)

    async def records(self, topic: str) -> list[Record]:
        """Everything that the topic holds."""
        return await read_all(self.fleet.broker.bootstrap, f"{self.fleet.prefix}{topic}")

    async def told(self, topic: str) -> list[dict[str, Any]]:
        """The same, as objects."""
        return [json.loads(record.value or b"") for record in await self.records(topic)]

    async def settled(self, service: str, topic: str) -> list[Record]:
        """The records that the service's offsets say are settled."""
        query = f"SELECT partition, next FROM {service}.offsets WHERE topic = '{topic}'"
        stands = dict(await self.rows(query))
        records = await self.records(topic)
        return [record for record in records if record.offset < stands.get(record.partition, 0)]


async def evict(fleet: Fleet, group: str) -> None:
    """Have the group's members leave, which are dead: nobody waits for their sessions to end."""
    name = f"{fleet.prefix}{group}"
    client = AIOKafkaClient(bootstrap_servers=fleet.broker.bootstrap)
    await client.bootstrap()
    try:
        found = await client.send(client.get_random_node(), FindCoordinatorRequest(name, 0))
        home = found.coordinator_id
        described = (await client.send(home, DescribeGroupsRequest([name]))).to_object()
        for member in described["groups"][0]["members"]:
            await client.send(home, LeaveGroupRequest(name, member["member_id"]))
    finally:
        await client.close()


async def committed(fleet: Fleet, group: str, topic: str) -> dict[int, int]:
    """Where Kafka was told that the group stands, in each partition where it was."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=fleet.broker.bootstrap,
        group_id=f"{fleet.prefix}{group}",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        homes = [TopicPartition(f"{fleet.prefix}{topic}", n) for n in range(PARTITIONS)]
        consumer.assign(homes)
        offsets = await asyncio.gather(*map(consumer.committed, homes))
        found = zip(homes, offsets, strict=True)
        return {home.partition: offset for home, offset in found if offset is not None}
    finally:
        await consumer.stop()
