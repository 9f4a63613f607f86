"""A new version everywhere under load: nobody notices, nothing is lost, doubled or told twice."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from tests.faults.conftest import Say
from tests.support.callers import Caller
from tests.support.calls import call_of
from tests.support.deployment import PAST, SERVICES, Deployment, deploy
from tests.support.ground import Ground
from tests.support.rolling import Endpoints, Leave, roll
from tests.support.rung import told, until_open
from tests.support.town import UNHAPPY

READS = {
    "scoring": "/v1/scores?metric=nps&by=region",
    "trigger": "/v1/decisions",
    "alerts": "/v1/alerts",
}
ANSWERS, CALLS = "/v1/responses", "/v1/events"
WITHIN_S = 10.0


@dataclass
class Traffic:
    """Everybody who asks something of a service while it is replaced."""

    it: Deployment
    services: dict[str, Endpoints]
    callers: list[Caller] = field(default_factory=list)

    def build(self) -> None:
        ingest = self.services["ingest"]
        answers = ingest.callers(ANSWERS, 8, lambda number: self.it.town.body(PAST + number))
        calls = ingest.callers(CALLS, 2, call_of)
        reads = [
            caller
            for name, path in READS.items()
            for caller in self.services[name].callers(path, 2)
        ]
        self.callers = [*answers, *calls, *reads]

    async def run(self, stop: asyncio.Event) -> None:
        await asyncio.gather(*(one.run(stop, pause_s=0.02) for one in self.callers))

    def note(self) -> None:
        """What was acknowledged must be there."""
        self.it.answers.acked |= {PAST + number for number in self._acked(ANSWERS)}
        self.it.calls.acked |= self._acked(CALLS)

    def _acked(self, path: str) -> set[int]:
        return {number for one in self.callers if one.path == path for number in one.acked}


async def roll_all(it: Deployment, traffic: Traffic) -> list[Leave]:
    """All services, one after another; one region turns unhappy in the middle of it."""
    leaves: list[Leave] = []
    for service in SERVICES:
        it.town.unhappy = it.town.unhappy or service == "scoring"
        leaves += await roll(it.fleet, service, traffic.services[service])
    return leaves


@pytest.mark.timeout(240)
async def test_every_replica_is_replaced_under_load(
    ground: Ground, tmp_path: Path, say: Say
) -> None:
    async with AsyncExitStack() as stack:
        it = await deploy(ground, tmp_path, Random(7), stack)
        await it.remember()
        traffic = Traffic(it, {name: Endpoints(it.replicas[name]) for name in SERVICES})
        traffic.build()
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        running, began = asyncio.create_task(traffic.run(stop)), loop.time()
        leaves = await roll_all(it, traffic)
        rolled_s = loop.time() - began
        (alert,) = await until_open(it.replicas["alerts"][0], 1)
        stop.set()
        await running
        traffic.note()
        await it.settle()

        found, called, alarms = await it.found(), it.called(), told(it.alarmed)
        say(summary(traffic.callers, leaves, rolled_s))
        say(
            f"{found}; calls asked of, by key: {called}, {len(it.asked.got)} messages; "
            f"1 alert, {len(alarms)} changes told"
        )
        assert {one.code for one in leaves} == {0}
        assert max(one.took_s for one in leaves) < WITHIN_S
        assert [fault for one in traffic.callers for fault in one.failed] == []
        assert sum(one.refused for one in traffic.callers) == 0
        assert {status for one in traffic.callers for status in one.statuses} == {200, 202}, [
            said for one in traffic.callers for said in one.put_off
        ]
        assert found.exact
        assert called.exact
        assert len(it.asked.got) == len(it.calls.acked)
        listed = (await it.replicas["alerts"][0].get("/v1/alerts"))["items"]
        assert [one["id"] for one in listed] == [alert]
        assert listed[0]["segment"] in ({"region": UNHAPPY}, {})
        assert {id_ for id_, _ in alarms} == {alert}
        assert [len(each) for each in alarms.values()] == [1] * len(alarms)


def summary(callers: Sequence[Caller], leaves: Sequence[Leave], rolled_s: float) -> str:
    sent = sum(one.statuses.total() for one in callers)
    failed = sum(len(one.failed) for one in callers)
    slowest = max(leaves, key=lambda one: one.took_s)
    return (
        f"{len(leaves)} replicas replaced in {rolled_s:.1f} s, the slowest end "
        f"{slowest.took_s:.1f} s ({slowest.service}); {sent} requests, {failed} failed, "
        f"{sum(one.refused for one in callers)} refused"
    )
