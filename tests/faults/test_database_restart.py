"""G12: PostgreSQL is killed again and again under load, and nothing is lost or doubled."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.faults.conftest import Say
from tests.support.fleet import open_fleet
from tests.support.ground import Ground
from tests.support.watch import until_all_ready, watched
from tests.support.whole import Whole, open_whole

pytestmark = pytest.mark.timeout(300)  # on a busy machine


@pytest.mark.parametrize("kills", [2, pytest.param(5, marks=pytest.mark.slow)])
async def test_a_killed_database_loses_and_doubles_nothing(
    ground: Ground, programme: Path, tmp_path: Path, say: Say, kills: int
) -> None:
    async with open_fleet(ground, tmp_path, programme) as fleet:
        whole = await open_whole(fleet)
        pids = [replica.pid for replica in whole.replicas]
        async with watched(whole.replicas) as watch, whole.loaded():
            back = [await _kill_and_revive(ground, whole) for _ in range(kills)]
        found = await whole.settled()

        say(f"{kills} kills, {found}; at work again after {_seconds(back)}")
        say(f"unready while it was away: {watch.unready}, slowest probe {watch.slowest_s:.1f} s")
        assert found.exact
        assert len(whole.answers.acked) > 1_000
        assert not whole.answers.faults  # ingest needs no database
        assert not watch.ill
        assert watch.unready.keys() == {"scoring", "trigger", "alerts"}
        assert [replica.pid for replica in whole.replicas if replica.alive] == pids


async def _kill_and_revive(ground: Ground, whole: Whole) -> float:
    """Kill the postmaster, start it after a second; how long after its start all are at work."""
    await asyncio.sleep(1)
    ground.kill_postgres()
    await asyncio.sleep(1)
    await ground.revive()
    began = time.monotonic()
    await until_all_ready(whole.consumers)
    return time.monotonic() - began


def _seconds(times: list[float]) -> str:
    return ", ".join(f"{seconds:.1f}" for seconds in times) + " s"
