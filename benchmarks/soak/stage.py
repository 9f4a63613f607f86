"""The deployment: two replicas of each service, Kafka and PostgreSQL behind proxies."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url

from tests.support.fleet import Fleet, Replica, open_fleet
from tests.support.ground import Ground, open_ground
from tests.support.load import write_programme
from tests.support.nursery import start_process
from tests.support.ports import free_ports
from tests.support.proxy import Proxy, open_proxy
from tests.support.system import SERVICES
from tests.support.tally import places

DIMENSIONS = ("queue", "region")


@dataclass(frozen=True)
class Stage:
    """What runs. Of each service the first replica is an elder: it is never killed."""

    ground: Ground
    fleet: Fleet
    elders: Sequence[Replica]
    mortals: Sequence[Replica]
    proxies: Sequence[tuple[str, Proxy]]

    @property
    def replicas(self) -> Sequence[Replica]:
        return (*self.elders, *self.mortals)

    @property
    def doors(self) -> list[str]:
        return [replica.url for replica in self.replicas if replica.service == "ingest"]

    async def settled(self) -> int:
        """How many answers have come all the way to alerts."""
        return sum((await places(self.fleet, "alerts", "scored-responses")).values())


@contextmanager
def open_ground_behind_a_proxy(var: Path) -> Iterator[tuple[Ground, int]]:
    """Kafka sends its clients to a port where nothing listens yet."""
    (port,) = free_ports(1)
    told = {"advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}"}
    with open_ground(var, properties=told) as ground:
        yield ground, port


@asynccontextmanager
async def open_stage(ground: Ground, kafka_port: int, var: Path) -> AsyncIterator[Stage]:
    programme = write_programme(var / "programme", DIMENSIONS)
    lines = ["false_alarms_per_week: 1", "smallest_rise: 5", "destinations: {}", ""]
    (programme / "alerts.yaml").write_text("\n".join(lines))
    async with (
        open_proxy(ground.kafka.nodes[0].port, kafka_port) as kafka,
        open_proxy(ground.postgres.port) as postgres,
        open_fleet(ground, var, programme, EARSHOT_KAFKA_BOOTSTRAP=kafka.address) as fleet,
    ):
        there = make_url(fleet.database_url).set(port=postgres.port)
        url = there.render_as_string(hide_password=False)
        fleet.environment = {**fleet.environment, "EARSHOT_DATABASE_URL": url}
        fleet.begin = start_process  # a forked one shares its memory, which is measured
        pairs = [await fleet.up(service, 2) for service in SERVICES]
        elders, mortals = zip(*pairs, strict=True)
        yield Stage(ground, fleet, elders, mortals, (("kafka", kafka), ("postgres", postgres)))
