"""Topics get more partitions while the system runs: nothing is lost, doubled or asked twice."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

import pytest

from services.commands.topics import main as topics
from tests.faults.conftest import Say
from tests.support.deployment import SERVICES, Deployment, deploy
from tests.support.ground import Ground
from tests.support.rolling import Endpoints, roll
from tests.support.tally import ends, places

READ = (("scoring", "survey-responses"), ("trigger", "support-calls"),
        ("alerts", "scored-responses"))  # fmt: skip
PARTITIONS = 24


@pytest.mark.parametrize(
    ("lasting_s", "rolled"),
    [
        pytest.param(10.0, True, id="rolled", marks=pytest.mark.timeout(240)),
        # what nobody restarts looks for new partitions every five minutes
        pytest.param(330.0, False, id="left", marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
async def test_topics_get_more_partitions_under_load(
    ground: Ground,
    tmp_path: Path,
    say: Say,
    monkeypatch: pytest.MonkeyPatch,
    lasting_s: float,
    rolled: bool,
) -> None:
    async with AsyncExitStack() as stack:
        it = await deploy(ground, tmp_path, Random(5), stack, replicas=1)
        await it.remember()
        load = asyncio.create_task(it.load(lasting_s * 2.5 if rolled else lasting_s))
        await asyncio.sleep(2)
        await widen(it, monkeypatch)
        for service in SERVICES if rolled else ():
            await roll(it.fleet, service, Endpoints(it.replicas[service]))
            it.answers.urls = it.calls.urls = [one.url for one in it.replicas["ingest"]]
        await load
        await it.settle()

        found, called = await it.found(), it.called()
        used = await in_use(it)
        say(f"{found}; calls asked of, by key: {called}; partitions in use: {used}")
        assert found.exact
        assert called.exact
        assert min(used.values()) > 12


async def widen(it: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EARSHOT_KAFKA_BOOTSTRAP", "EARSHOT_KAFKA_TOPIC_PREFIX"):
        monkeypatch.setenv(name, it.fleet.environment[name])
    assert await asyncio.to_thread(topics, ["--partitions", str(PARTITIONS)]) == 0


async def in_use(it: Deployment) -> dict[str, int]:
    """Of each topic, how many partitions hold records that were settled."""
    used = {}
    for service, topic in READ:
        held, stands = await ends(it.fleet, topic), await places(it.fleet, service, topic)
        used[topic] = sum(end > 0 and stands.get(number) == end for number, end in held.items())
    return used
