"""The system as it is deployed: each service a process, real Kafka, PostgreSQL that writes through.

One replica of each service: two cores carry four services, both servers and the load.
"""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import yaml

from benchmarks.latency.sending import LoadProcess, load_process
from tests.support.fleet import Fleet, Replica, open_fleet
from tests.support.folders import copy_shipped, without
from tests.support.ground import Ground
from tests.support.nursery import start_process
from tests.support.receivers import Receiver, open_receiver
from tests.support.rung import SECRET
from tests.support.system import SERVICES
from tests.support.tally import connect

_PLACES: Final = "SELECT sum(next) FROM {}.offsets WHERE topic = '{}'"


@dataclass(frozen=True)
class Deployed:
    """What runs, the load beside it, and who is told of alerts."""

    fleet: Fleet
    replicas: dict[str, Replica]
    load: LoadProcess
    receiver: Receiver
    database: asyncpg.Connection

    @property
    def mails(self) -> Path:
        return self.fleet.var / "mail"

    def mailed(self) -> int:
        with suppress(FileNotFoundError):
            return sum(one.name.endswith(".eml") for one in os.scandir(self.mails))
        return 0

    async def place(self, service: str, topic: str) -> int:
        """How many records of a topic a service has settled."""
        return int(await self.database.fetchval(_PLACES.format(service, topic)) or 0)


def write_programme(below: Path, hook: str, *, surveys: int) -> Path:
    """The default programme without quiet hours and caps; some more surveys, to go wrong one each.

    Changes of alerts go to `hook` alone.
    """
    folder = without(copy_shipped(below), "quiet_hours", "caps")
    path = folder / "surveys.yaml"
    told = yaml.safe_load(path.read_text(encoding="utf-8"))
    told |= {fault_survey(number): told["post-delivery"] for number in range(surveys)}
    path.write_text(yaml.safe_dump(told, allow_unicode=True), encoding="utf-8")
    lines = ["false_alarms_per_week: 1", "smallest_rise: 5", "destinations:"]
    lines.append(f"  hook: {{kind: webhook, url: '{hook}'}}")
    (folder / "alerts.yaml").write_text("\n".join([*lines, ""]), encoding="utf-8")
    return folder


def fault_survey(number: int) -> str:
    return f"fault-{number}"


@asynccontextmanager
async def deployed(ground: Ground, var: Path, *, surveys: int) -> AsyncIterator[Deployed]:
    """All four services, ready."""
    async with open_receiver() as receiver:
        programme = write_programme(var, f"{receiver.url}/hook", surveys=surveys)
        settings = {"EARSHOT_LOG_LEVEL": "warning", "EARSHOT_ALERTS_WEBHOOK_SECRET": SECRET}
        async with open_fleet(ground, var, programme, **settings) as fleet:
            fleet.begin = start_process
            replicas = {name: (await fleet.up(name))[0] for name in SERVICES}
            database = await connect(fleet.database_url)
            with load_process(replicas["ingest"].port, fleet.broker) as load:
                yield Deployed(fleet, replicas, load, receiver, database)
            await database.close()
        shutil.rmtree(programme)
