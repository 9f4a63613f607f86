"""What a deployment stands on: Apache Kafka and a durable PostgreSQL, both killable."""

import asyncio
import os
import secrets
import shutil
import signal
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared.embedded.kraft import Kraft, Options, running_kraft, start_kraft, stop_kraft
from shared.embedded.postgres import (
    Options as PostgresOptions,
)
from shared.embedded.postgres import (
    Postgres,
    running_postgres,
    start_postgres,
    stop_postgres,
)
from shared.embedded.processes import is_alive
from shared.events import Topic
from tests.support.embedded import TEMPLATE, build_template, drop, execute, named

# recovery after a kill under load takes a while on a busy machine
SOON_GONE = {"log.segment.delete.delay.ms": "1000"}  # else a minute
DURABLE = PostgresOptions(durable=True, max_connections=200, patience=300.0)


@dataclass
class Ground:
    """Kafka and PostgreSQL under one folder; each keeps its address over a kill and a start."""

    var: Path
    nodes: int = 1
    properties: Mapping[str, str] = field(default_factory=dict)
    doors: Mapping[str, int] = field(default_factory=dict)
    kafka: Kraft = field(init=False)
    postgres: Postgres = field(init=False)

    def start(self) -> None:
        """Start what does not run; return when both answer. Not to be called in a loop."""
        self.kafka = start_kraft(self.var, Options(self.nodes, self.properties, self.doors))
        self.postgres = start_postgres(self.var, DURABLE)

    def prepare(self) -> None:
        """Migrate the database that each deployment gets a clone of."""
        build_template(self.postgres.url)

    def kill_kafka(self, number: int = 1) -> None:
        """kill -9 of one node, and wait until it is gone."""
        _kill(self.kafka.nodes[number - 1].pid)

    def kill_postgres(self) -> None:
        _kill(self.postgres.pid)

    @property
    def stands(self) -> bool:
        """Whether all its processes run; it does not ask whether they answer."""
        return running_kraft(self.var) is not None and running_postgres(self.var) is not None

    async def revive(self) -> None:
        """Start what was killed; return when both answer."""
        await asyncio.to_thread(self.start)

    async def forget(self, prefix: str) -> None:
        """Delete a deployment's topics, if Kafka answers: a start after a kill reads all there are.

        Thousands of partitions, which a worker's tests leave together, take it a minute.
        """
        admin = AIOKafkaAdminClient(
            bootstrap_servers=self.kafka.bootstrap, request_timeout_ms=5_000
        )
        with suppress(KafkaError, TimeoutError):
            try:
                await admin.start()
                await admin.delete_topics([f"{prefix}{topic}" for topic in Topic])
            finally:
                await admin.close()

    async def serves(self, within_s: float = 30.0) -> None:
        """Return once Kafka has a controller and a leader again, as after it was suspended."""
        async with asyncio.timeout(within_s):
            while not await _has_leaders(self.kafka.bootstrap):
                await asyncio.sleep(0.1)

    @asynccontextmanager
    async def database(self) -> AsyncIterator[str]:
        """A fresh, migrated database."""
        name = f"test_{secrets.token_hex(6)}"
        await execute(self.postgres.url, f'CREATE DATABASE "{name}" TEMPLATE "{TEMPLATE}"')
        try:
            yield named(self.postgres.url, name)
        finally:
            await drop(self.postgres.url, name)

    def stop(self) -> None:
        if hasattr(self, "kafka"):  # what it holds goes too: nobody waits for its leave
            for node in self.kafka.nodes:
                _kill(node.pid)
        stop_kraft(self.var)
        stop_postgres(self.var)
        shutil.rmtree(self.var, ignore_errors=True)


def draw_prefix() -> str:
    """A deployment's own topics and groups."""
    return f"t{secrets.token_hex(4)}-"


@contextmanager
def open_ground(
    var: Path,
    *,
    nodes: int = 1,
    properties: Mapping[str, str] | None = None,
    doors: Mapping[str, int] | None = None,
) -> Iterator[Ground]:
    ground = Ground(var, nodes, {**SOON_GONE, **(properties or {})}, doors or {})
    try:
        ground.start()
        ground.prepare()
        yield ground
    finally:
        ground.stop()


async def _has_leaders(bootstrap: str) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=5_000)
    try:
        await admin.start()
        found = await admin.describe_cluster()
        return found["controller_id"] >= 0 and bool(found["brokers"])
    except KafkaError:
        return False
    finally:
        await admin.close()


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    while is_alive(pid):
        time.sleep(0.005)
