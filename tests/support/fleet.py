"""A deployment as in production: real Kafka, PostgreSQL, each replica a process of its own."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from shared.stream import Broker, KafkaUnavailable
from shared.stream.kafka import create_topics
from tests.support.ground import Ground, draw_prefix
from tests.support.nursery import Begin, Process, begin
from tests.support.ports import free_ports
from tests.support.system import ROOT

READY_S = 60.0


@dataclass
class Replica:
    """One process of one service. Its port and its environment stay over a restart.

    `module` is what is run, where that is not the service.
    """

    service: str
    port: int
    environment: Mapping[str, str]
    log_path: Path
    http: httpx.AsyncClient
    module: str = ""
    ready_path: str = "/readyz"
    begin: Begin = field(default=begin, repr=False)
    process: Process | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def launch(self, **settings: str) -> None:
        """Begin it, with further settings for this life alone."""
        module = self.module or f"services.{self.service}"
        self.process = self.begin(module, {**self.environment, **settings}, self.log_path)

    async def start(self, **settings: str) -> None:
        """Launch it and wait until it says that it is ready."""
        self.launch(**settings)
        await self.until_ready()

    async def until_ready(self, within_s: float = READY_S) -> None:
        deadline = time.monotonic() + within_s
        while not await self.ready():
            if not self.alive or time.monotonic() > deadline:
                raise AssertionError(f"{self.service} is not ready:\n{self.log()[-3000:]}")
            await asyncio.sleep(0.05)

    async def ready(self) -> bool:
        try:
            reply = await self.http.get(f"{self.url}{self.ready_path}")
        except httpx.HTTPError:
            return False
        return reply.status_code == httpx.codes.OK

    async def get(self, path: str, **params: Any) -> Any:
        reply = await self.http.get(f"{self.url}{path}", params=params)
        assert reply.status_code == httpx.codes.OK, reply.text
        return reply.json()

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of that name that carry the labels."""
        text = (await self.http.get(f"{self.url}/metrics")).text
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        return sum(
            float(line.rpartition(" ")[2])
            for line in text.splitlines()
            if line.startswith((f"{name} ", f"{name}{{")) and all(word in line for word in wanted)
        )

    def signal(self, number: signal.Signals) -> None:
        """SIGSTOP, SIGCONT …; to end it: `kill` and `terminate`. It has to live."""
        assert self.alive, f"{self.service} has ended:\n{self.log()[-3000:]}"
        os.kill(self.pid, number)

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait(10)

    async def terminate(self, within_s: float = 20.0) -> tuple[int, float]:
        """SIGTERM; return the exit code and the seconds that it took."""
        began = time.monotonic()
        self.signal(signal.SIGTERM)
        return await self.ended(within_s), time.monotonic() - began

    async def ended(self, within_s: float = 20.0) -> int:
        """Wait until the process has ended by itself; return its exit code, -9 after a kill."""
        async with asyncio.timeout(within_s):
            while self.alive:
                await asyncio.sleep(0.01)
        assert self.process is not None
        return self.process.returncode

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""


@dataclass
class Fleet:
    """The replicas of one deployment, on a database and topics of its own."""

    ground: Ground
    var: Path
    database_url: str
    prefix: str
    environment: Mapping[str, str]
    http: httpx.AsyncClient
    replicas: list[Replica] = field(default_factory=list)
    begin: Begin = field(default=begin, repr=False)

    @property
    def broker(self) -> Broker:
        return Broker(self.ground.kafka.bootstrap, self.ground.kafka.log, prefix=self.prefix)

    def add(self, service: str, **settings: str) -> Replica:
        """A further replica of a service, not yet launched."""
        (port,) = free_ports(1)
        environment = {**self.environment, f"EARSHOT_{service.upper()}_PORT": str(port), **settings}
        path = self.var / f"{service}-{len(self.replicas) + 1}.log"
        replica = Replica(service, port, environment, path, self.http, begin=self.begin)
        self.replicas.append(replica)
        return replica

    async def up(self, service: str, number: int = 1, **settings: str) -> list[Replica]:
        """So many ready replicas of a service."""
        added = [self.add(service, **settings) for _ in range(number)]
        await asyncio.gather(*(replica.start() for replica in added))
        return added

    async def close(self) -> None:
        """End every replica, also where a test failed in the middle of a fault."""
        for replica in self.replicas:
            with suppress(ProcessLookupError):
                if replica.alive:
                    os.kill(replica.pid, signal.SIGKILL)
        for replica in self.replicas:
            if replica.process is not None:
                replica.process.wait(10)
        await self.http.aclose()
        if not self.ground.stands:
            await self.ground.revive()


async def _make_topics(ground: Ground, prefix: str) -> None:
    """However long a machine that does much else at the same time takes for it."""
    async with asyncio.timeout(READY_S):
        while True:
            try:
                copies = min(3, ground.nodes)
                await create_topics(ground.kafka.bootstrap, prefix=prefix, replication=copies)
            except KafkaUnavailable:
                continue
            return


@asynccontextmanager
async def open_fleet(
    ground: Ground, var: Path, programme: Path, **settings: str
) -> AsyncIterator[Fleet]:
    """A deployment without any replica yet: its topics, its database, its settings.

    `var` is a folder that exists: logs, and mails that are written to files.
    """
    prefix = draw_prefix()
    await _make_topics(ground, prefix)
    async with ground.database() as database_url:
        environment = {
            **{name: v for name, v in os.environ.items() if not name.startswith("EARSHOT_")},
            "PYTHONPATH": str(ROOT),
            "EARSHOT_VAR": str(var),
            "EARSHOT_KAFKA_BOOTSTRAP": ground.kafka.bootstrap,
            "EARSHOT_KAFKA_TOPIC_PREFIX": prefix,
            "EARSHOT_KAFKA_SESSION": "6s",
            "EARSHOT_DATABASE_URL": database_url,
            "EARSHOT_PROGRAMME": str(programme),
            "EARSHOT_TOKEN_KEYS": "a-key-of-the-fault-tests",
            **settings,
        }
        http = httpx.AsyncClient(timeout=40, trust_env=False)
        fleet = Fleet(ground, var, database_url, prefix, environment, http)
        try:
            yield fleet
        finally:
            await fleet.close()
            await ground.forget(prefix)
