"""Two processes of each service, one of which stands still or dies at any time: all is exact."""

import asyncio
import signal
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from tests.faults.conftest import Say
from tests.support.calls import CALLS, SOURCE
from tests.support.fleet import Fleet, Replica, open_fleet
from tests.support.ground import Ground
from tests.support.load import Load
from tests.support.outlets import until_told
from tests.support.receivers import Receiver, open_receiver
from tests.support.rung import SECRET, ring, told, until_open, write_ringing_programme
from tests.support.tally import compare, until_settled
from tests.support.town import UNHAPPY, Findings, Town, find, write_town_programme
from tests.support.unrest import Unrest

SERVICES = ("ingest", "scoring", "trigger", "alerts")
TOPICS = (("scoring", "survey-responses"), ("trigger", "support-calls"),
          ("scoring", "survey-invitations"), ("alerts", "scored-responses"))  # fmt: skip
PAST, SPAN = 1_500, timedelta(days=2)
LATE_S = 120.0
ELECTED = "earshot_alerts_judge_elected"
SIZES = [
    pytest.param(25.0, id="short", marks=pytest.mark.timeout(240)),
    pytest.param(180.0, id="long", marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
]


@dataclass
class Deployment:
    """Two of each, what is sent to them, and who hears of it."""

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

    def keys(self) -> dict[int, set[str]]:
        """By call, the keys under which its customer was asked."""
        keys: dict[int, set[str]] = {}
        for (_, headers, _), body in zip(self.asked.got, self.asked.bodies(), strict=True):
            event = body["data"]["event"]
            assert event["source"] == SOURCE
            keys.setdefault(int(event["id"][2:]), set()).add(headers["webhook-id"])
        return keys


async def deploy(ground: Ground, var: Path, luck: Random, stack: AsyncExitStack) -> Deployment:
    asked = await stack.enter_async_context(open_receiver())
    alarmed = await stack.enter_async_context(open_receiver())
    programme = write_town_programme(var / "programme", f"{alarmed.url}/hook")
    settings = {"WEBHOOK_URL": asked.url, "WEBHOOK_SECRET": SECRET, "KAFKA_SESSION": "2s",
                "ALERTS_WEBHOOK_SECRET": SECRET, "SEND_WITHIN": "3s",
                "ALERTS_URL": "https://alerts.example"}  # fmt: skip
    fleet = await stack.enter_async_context(
        open_fleet(ground, var, programme, **{f"EARSHOT_{k}": v for k, v in settings.items()})
    )
    groups = await asyncio.gather(*(fleet.up(service, 2) for service in SERVICES))
    replicas = dict(zip(SERVICES, groups, strict=True))
    town, urls = Town(luck), [replica.url for replica in replicas["ingest"]]
    answers = Load(fleet.http, urls, size=10, posting=town.posting, _next=PAST)
    calls = Load(fleet.http, urls, size=2, posting=CALLS)
    await town.remember(fleet, PAST, SPAN)
    answers.acked.update(range(PAST))
    return Deployment(fleet, replicas, town, answers, calls, asked, alarmed)


@pytest.mark.parametrize("lasting_s", SIZES)
async def test_two_of_each_stopped_and_killed_at_random_are_exact(
    ground: Ground, tmp_path: Path, say: Say, lasting_s: float
) -> None:
    """One region turns unhappy in a third of the time: one alert under one key, whoever judges."""
    luck = Random(int(lasting_s))
    async with AsyncExitStack() as stack:
        it = await deploy(ground, tmp_path, luck, stack)
        await until_settled(it.fleet, "alerts", "scored-responses", LATE_S)
        unrest = Unrest(luck)
        async with asyncio.TaskGroup() as group:
            for pair in it.replicas.values():
                group.create_task(unrest.stir(pair))
            group.create_task(it.answers.run(senders=8, pause_s=0.1))
            group.create_task(it.calls.run(senders=4, pause_s=0.2))
            await asyncio.sleep(lasting_s / 3)
            it.town.unhappy = True
            await asyncio.sleep(lasting_s * 2 / 3)
            for stop in (it.answers.stop, it.calls.stop, unrest.stop):
                stop.set()
        alert, *_ = await until_open(it.replicas["alerts"][0], 1)
        await it.settle()

        found, keys = await it.found(), it.keys()
        called = compare(it.calls.acked, Counter(keys.keys())).without(it.calls.tried)
        twice = {number: each for number, each in keys.items() if len(each) > 1}
        alarms = told(it.alarmed)
        listed = (await it.replicas["alerts"][0].get("/v1/alerts"))["items"]
        say(
            f"{lasting_s:.0f} s, {unrest}; {found}; calls asked of {called}, {len(twice)} under "
            f"two keys, {len(it.asked.got)} messages; {len(listed)} alert(s), told under "
            f"{len([change for change in alarms if change[1] == 1])} key(s)"
        )
        assert found.exact
        assert called.exact
        assert twice == {}
        assert [one["id"] for one in listed] == [alert]
        assert listed[0]["segment"] in ({"region": UNHAPPY}, {})
        assert [change for change in alarms if change[1] == 1] == [(alert, 1)]
        assert {id_ for id_, _ in alarms} == {alert}


async def judge_of(replicas: list[Replica], within_s: float = 60.0) -> Replica:
    """Who judges, once somebody does."""
    async with asyncio.timeout(within_s):
        while True:
            for replica in replicas:
                if await replica.metric(ELECTED) == 1:
                    return replica
            await asyncio.sleep(0.05)


async def test_another_judges_soon_where_the_judge_stands_still(
    ground: Ground, tmp_path: Path, say: Say
) -> None:
    """Its connection stays, and with it the lock: nobody would judge until it went on."""
    async with open_receiver() as receiver:
        programme = write_ringing_programme(tmp_path / "programme", hook=f"{receiver.url}/hook")
        async with open_fleet(
            ground, tmp_path, programme, EARSHOT_ALERTS_WEBHOOK_SECRET=SECRET,
            EARSHOT_KAFKA_SESSION="2s", EARSHOT_ALERTS_URL="https://alerts.example",
        ) as fleet:  # fmt: skip
            replicas = await fleet.up("alerts", 2)
            first = await judge_of(replicas)
            (other,) = [replica for replica in replicas if replica is not first]
            loop = asyncio.get_running_loop()

            first.signal(signal.SIGSTOP)
            began = loop.time()
            await ring(fleet, 1, datetime.now(UTC))
            assert await judge_of([other]) is other
            moved_s = loop.time() - began
            (alert,) = await until_open(other, 1)
            raised_s = loop.time() - began
            first.signal(signal.SIGCONT)
            await first.until_ready()
            await asyncio.sleep(2)

            judging = [await replica.metric(ELECTED) for replica in (first, other)]
            say(
                f"another judged {moved_s:.1f} s after the judge was stopped, the alert of a fault "
                f"in between was raised after {raised_s:.1f} s"
            )
            assert judging == [0, 1]
            assert [one["id"] for one in (await first.get("/v1/alerts"))["items"]] == [alert]
            assert {id_ for id_, _ in told(receiver)} == {alert}
            assert moved_s < 30
