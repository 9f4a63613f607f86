"""A whole deployment under load: a town that answers, calls that ask, and who is told of it."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

from tests.support.calls import CALLS, SOURCE
from tests.support.fleet import Fleet, Replica, open_fleet
from tests.support.ground import Ground
from tests.support.load import Load
from tests.support.outlets import until_told
from tests.support.receivers import Receiver, open_receiver
from tests.support.rung import SECRET
from tests.support.tally import Tally, compare, until_settled
from tests.support.town import Findings, Town, find, write_town_programme

SERVICES = ("ingest", "scoring", "trigger", "alerts")
TOPICS = (("scoring", "survey-responses"), ("trigger", "support-calls"),
          ("scoring", "survey-invitations"), ("alerts", "scored-responses"))  # fmt: skip
PAST, SPAN = 1_500, timedelta(days=2)
LATE_S = 120.0


@dataclass
class Deployment:
    """What runs, what is sent to it, and who hears of it."""

    fleet: Fleet
    replicas: dict[str, list[Replica]]
    town: Town
    answers: Load
    calls: Load
    asked: Receiver
    alarmed: Receiver

    async def settle(self) -> None:
        """Everything that is in Kafka has been worked off, and everybody told."""
        for service, topic in TOPICS:
            await until_settled(self.fleet, service, topic, LATE_S)
        await until_told(self.fleet)

    async def found(self) -> Findings:
        return await find(self.fleet, self.town, self.answers.acked, self.answers.tried)

    def keys(self) -> dict[int, list[str]]:
        """By call, the keys under which its customer was asked, one a message."""
        keys: dict[int, list[str]] = {}
        for (_, headers, _), body in zip(self.asked.got, self.asked.bodies(), strict=True):
            event = body["data"]["event"]
            assert event["source"] == SOURCE
            keys.setdefault(int(event["id"][2:]), []).append(headers["webhook-id"])
        return keys

    def called(self) -> Tally:
        """Whether each acknowledged call asked its customer under one key."""
        keys = {number: set(found) for number, found in self.keys().items()}
        counted = Counter({number: len(found) for number, found in keys.items()})
        return compare(self.calls.acked, counted).without(self.calls.tried)

    async def remember(self) -> None:
        """A calm past of the town, settled."""
        await self.town.remember(self.fleet, PAST, SPAN)
        self.answers.acked.update(range(PAST))
        await until_settled(self.fleet, "alerts", "scored-responses", LATE_S)

    async def load(self, lasting_s: float, *, answers: int = 4, calls: int = 2) -> None:
        """Answers and calls for so long; what is acknowledged is noted."""
        for load in (self.answers, self.calls):
            load.stop.clear()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.answers.run(senders=answers, pause_s=0.1))
            group.create_task(self.calls.run(senders=calls, pause_s=0.2))
            await asyncio.sleep(lasting_s)
            for load in (self.answers, self.calls):
                load.stop.set()

    async def up(self, replicas: int, *services: str, **settings: str) -> None:
        """Further replicas of these services, ready."""
        groups = await asyncio.gather(
            *(self.fleet.up(one, replicas, **settings) for one in services)
        )
        for service, group in zip(services, groups, strict=True):
            self.replicas[service] += group

    async def down(self, *services: str) -> None:
        """SIGTERM to every replica of these services."""
        await asyncio.gather(
            *(one.terminate() for service in services for one in self.replicas[service])
        )
        for service in services:
            self.replicas[service].clear()


async def deploy(
    ground: Ground,
    var: Path,
    luck: Random,
    stack: AsyncExitStack,
    *,
    replicas: int = 2,
    database_url: str = "",
) -> Deployment:
    """So many replicas of each service. `database_url`: another database than the ground's."""
    asked = await stack.enter_async_context(open_receiver())
    alarmed = await stack.enter_async_context(open_receiver())
    programme = write_town_programme(var / "programme", f"{alarmed.url}/hook")
    settings = {"WEBHOOK_URL": asked.url, "WEBHOOK_SECRET": SECRET, "KAFKA_SESSION": "2s",
                "ALERTS_WEBHOOK_SECRET": SECRET, "SEND_WITHIN": "3s",
                "ALERTS_URL": "https://alerts.example"}  # fmt: skip
    fleet = await stack.enter_async_context(
        open_fleet(ground, var, programme, **{f"EARSHOT_{k}": v for k, v in settings.items()})
    )
    if database_url:
        move(fleet, database_url)
    town = Town(luck)
    urls: list[str] = []
    it = Deployment(
        fleet, {name: [] for name in SERVICES}, town,
        Load(fleet.http, urls, size=10, posting=town.posting, _next=PAST),
        Load(fleet.http, urls, size=2, posting=CALLS), asked, alarmed,
    )  # fmt: skip
    await it.up(replicas, *SERVICES)
    urls += [replica.url for replica in it.replicas["ingest"]]
    return it


def move(fleet: Fleet, database_url: str) -> None:
    """Replicas that are added from now on work on this database."""
    fleet.database_url = database_url
    fleet.environment = {**fleet.environment, "EARSHOT_DATABASE_URL": database_url}
