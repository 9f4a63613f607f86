"""Real data through the public interfaces: every score equals an independent recount, exactly."""

import asyncio
import os
import random
import signal
import subprocess
from pathlib import Path

import pytest

from shared.embedded.system import running
from tests.support.recount import Counts, recount, rows
from tests.support.replays import finished, play, programme_for
from tests.support.system import System, open_system

pytestmark = [pytest.mark.real_data, pytest.mark.system, pytest.mark.timeout(400)]

SETS = {
    "pwc_calls": (["agent", "topic", "resolved"], True),
    "carpentries_nps": (["touchpoint", "site", "when_taken", "pace"], False),
    "airline_tweets": (["airline", "reason", "timezone"], False),
    "olist": (["state", "category", "status", "seller_state"], True),
}


def replay(system: System, data: Path, name: str) -> subprocess.Popen[bytes]:
    dimensions, events = SETS[name]
    arguments = ["--dimensions", ",".join(dimensions)]
    arguments += ["--responses", str(data / name / "responses.csv.gz")]
    if events:
        arguments += ["--events", str(data / name / "events.csv.gz")]
    return play(system, *arguments)


async def scored(system: System, metric: str, by: str) -> dict[tuple[str, ...], Counts]:
    found: dict[tuple[str, ...], Counts] = {}
    params = {"metric": metric, "from": "2000-01-01T00:00:00Z", "limit": "500"}
    if by:
        params["by"] = by
    while True:
        page = await system.get("scoring", "/v1/scores", **params)
        for group in page["groups"]:
            counts = group["counts"]
            values = tuple(group["segment"][name] for name in by.split(",") if name)
            if group["n"]:
                found[values] = (counts["promoters"], counts["passives"], counts["detractors"])
        if page["next"] is None:
            return found
        params["cursor"] = page["next"]


async def assert_exact(system: System, data: Path, name: str) -> None:
    dimensions, _ = SETS[name]
    counted = rows(data / name / "responses.csv.gz")
    for metric in {row["metric"] for row in counted}:
        for by in ("", *dimensions, f"{dimensions[0]},{dimensions[1]}"):
            expected = recount(counted, metric, [part for part in by.split(",") if part])
            assert await scored(system, metric, by) == expected, (metric, by)


@pytest.mark.parametrize(
    ("name", "kafka"),
    [
        ("pwc_calls", "mock"),
        ("carpentries_nps", "mock"),
        ("airline_tweets", "mock"),
        ("olist", "mock"),
        pytest.param("pwc_calls", "real", marks=pytest.mark.real_kafka),
    ],
    indirect=["kafka"],
)
async def test_every_score_equals_the_recount_also_after_a_second_replay(
    name: str, kafka: dict[str, str], real_data: Path, tmp_path: Path
) -> None:
    programme = programme_for(tmp_path / "programme", SETS[name][0])
    settings = {"EARSHOT_PROGRAMME": str(programme), **kafka}
    async with open_system(tmp_path / "var", **settings) as system:
        await system.start()
        assert await finished(replay(system, real_data, name)) == 0, system.log()[-2000:]
        await assert_exact(system, real_data, name)

        assert await finished(replay(system, real_data, name)) == 0
        await assert_exact(system, real_data, name)


@pytest.mark.parametrize("victim", ["services", "postgresql"])
async def test_kill_9_in_the_middle_loses_and_doubles_nothing(
    victim: str, real_data: Path, tmp_path: Path
) -> None:
    """By hand: EARSHOT_TEST_KILLS=10 EARSHOT_TEST_SET=olist."""
    name = os.environ.get("EARSHOT_TEST_SET", "pwc_calls")
    luck = random.Random(5)
    programme = programme_for(tmp_path / "programme", SETS[name][0])
    async with open_system(tmp_path / "var", EARSHOT_PROGRAMME=str(programme)) as system:
        await system.start()
        playing = replay(system, real_data, name)
        while not await anything_scored(system):
            await asyncio.sleep(0.02)
        for _ in range(int(os.environ.get("EARSHOT_TEST_KILLS", "3"))):
            await asyncio.sleep(luck.uniform(0.2, 1.2))
            if victim == "services":
                system.kill()
                await system.start()
            else:
                await kill_postgresql(system)
        assert await finished(playing) == 0, (system.var / "replay.log").read_text()
        await assert_exact(system, real_data, name)


async def anything_scored(system: System) -> bool:
    found = [await scored(system, metric, "") for metric in ("nps", "csat", "ces")]
    return any(found)


async def kill_postgresql(system: System) -> None:
    found = running(system.var)
    assert found is not None
    os.kill(found.postgres_pid, signal.SIGKILL)
    async with asyncio.timeout(60):
        while not await system.ready() or running(system.var) is None:
            await asyncio.sleep(0.1)
