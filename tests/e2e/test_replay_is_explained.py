"""Real events through the public interfaces: `GET /v1/decisions` says what became of each."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.replays import (
    Explained,
    event_ids,
    explained,
    finished,
    play,
    programme_for,
    table_of,
    unexplained,
)
from tests.support.system import System, open_system

pytestmark = [pytest.mark.real_data, pytest.mark.system, pytest.mark.timeout(300)]

SETS = {"pwc_calls": "agent,topic,resolved", "olist": "state,category,status,seller_state"}


async def decided(system: System, events: int, within_s: float = 60.0) -> Explained:
    """All decisions, once there is one on each event or nothing more comes of it."""

    async def page_of(params: dict[str, str]) -> Any:
        return await system.get("trigger", "/v1/decisions", **params)

    async with asyncio.timeout(within_s):
        while True:
            found = await explained(page_of)
            if len(found) >= events:
                return found
            await asyncio.sleep(0.5)


@pytest.mark.parametrize("name", SETS)
async def test_every_event_of_a_replay_has_a_decision_that_says_why(
    name: str, real_data: Path, tmp_path: Path
) -> None:
    """`pytest -s` shows the table of reasons."""
    file = real_data / name / "events.csv.gz"
    programme = programme_for(tmp_path / "programme", SETS[name].split(","))
    async with open_system(tmp_path / "var", EARSHOT_PROGRAMME=str(programme)) as system:
        await system.start()
        playing = play(system, "--dimensions", SETS[name], "--events", str(file))
        assert await finished(playing) == 0, system.log()[-2000:]
        events = event_ids(file)
        found = await decided(system, len(events))

    sys.stdout.write(f"\n{name}, by the shipped programme: {table_of(found)}\n")
    assert unexplained(found, events) == []
    assert found.keys() == events
    assert {item["source"] for items in found.values() for item in items} == {f"/replay/{name}"}
