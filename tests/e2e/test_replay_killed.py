"""Real data through the public interfaces while services or PostgreSQL are killed: exact too."""

import asyncio
import os
import random
import signal
from pathlib import Path

import pytest

from shared.embedded.system import running
from tests.support.exact import SETS, assert_exact, replay, scored
from tests.support.replays import finished, programme_for
from tests.support.system import System, open_system

pytestmark = [pytest.mark.real_data, pytest.mark.system, pytest.mark.timeout(400)]


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
