"""Two processes of each service, one of which stands still or dies at any time: all is exact."""

import asyncio
import signal
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from tests.faults.conftest import Say
from tests.support.deployment import deploy
from tests.support.fleet import Replica, open_fleet
from tests.support.ground import Ground
from tests.support.receivers import open_receiver
from tests.support.rung import SECRET, ring, told, until_open, write_ringing_programme
from tests.support.town import UNHAPPY
from tests.support.unrest import Unrest

ELECTED = "earshot_alerts_judge_elected"
SIZES = [
    pytest.param(25.0, id="short", marks=pytest.mark.timeout(240)),
    pytest.param(180.0, id="long", marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
]


@pytest.mark.parametrize("lasting_s", SIZES)
async def test_two_of_each_stopped_and_killed_at_random_are_exact(
    ground: Ground, tmp_path: Path, say: Say, lasting_s: float
) -> None:
    """One region turns unhappy in a third of the time: one alert under one key, whoever judges."""
    luck = Random(int(lasting_s))
    async with AsyncExitStack() as stack:
        it = await deploy(ground, tmp_path, luck, stack)
        await it.remember()
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

        found, called = await it.found(), it.called()
        alarms = told(it.alarmed)
        listed = (await it.replicas["alerts"][0].get("/v1/alerts"))["items"]
        say(
            f"{lasting_s:.0f} s, {unrest}; {found}; calls asked of, by key: {called}, "
            f"{len(it.asked.got)} messages; {len(listed)} alert(s), told under "
            f"{len([change for change in alarms if change[1] == 1])} key(s)"
        )
        assert found.exact
        assert called.exact
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
