"""Scoring's database is lost and nobody has a backup: the scores are rebuilt from the topics."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from services.commands.migrate import main as migrate
from tests.faults.conftest import Say
from tests.faults.test_retention import move_log_start, numbers_of, offsets_of
from tests.support.deployment import Deployment, deploy
from tests.support.embedded import execute
from tests.support.ground import Ground
from tests.support.rung import told

MOVING = ("as_of", "behind_s")


@pytest.mark.timeout(240)
async def test_scores_are_rebuilt_from_the_topics(
    ground: Ground, tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While answers come; and what alerts and trigger made of the answers stays as it is."""
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        it = await deploy(ground, tmp_path, Random(3), stack, replicas=1)
        await it.remember()
        await it.load(5)
        await it.settle()
        before, began = told(it.alarmed), loop.time()
        load = asyncio.create_task(it.load(6))
        await lose_scoring(it, monkeypatch)
        await it.up(1, "scoring")
        await load
        await it.settle()
        rebuilt_s = loop.time() - began

        found, called = await it.found(), it.called()
        say(f"rebuilt in {rebuilt_s:.1f} s under load; {found}; calls asked of, by key: {called}")
        assert it.answers.faults == it.calls.faults == []
        assert found.exact
        assert called.exact
        assert len(it.asked.got) == len(it.calls.acked)
        assert told(it.alarmed) == before


@pytest.mark.timeout(240)
async def test_rebuilt_scores_are_the_same_as_far_as_the_topics_go_back(
    ground: Ground, tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same replies while the topic has all; without what retention took, when it has not."""
    async with AsyncExitStack() as stack:
        it = await deploy(ground, tmp_path, Random(4), stack, replicas=1)
        await it.remember()
        await it.load(3)
        await it.settle()
        until = datetime.now(UTC)
        before = await scores(it, until)
        await rebuild(it, monkeypatch)
        assert await scores(it, until) == before

        held = await offsets_of(it.fleet)
        cuts = {number: records[len(records) // 2].offset for number, records in held.items()}
        gone = numbers_of(
            one for number, all_ in held.items() for one in all_ if one.offset < cuts[number]
        )
        await move_log_start(it.fleet, cuts)
        await rebuild(it, monkeypatch)
        found = await it.found()
        say(
            f"{len(before['groups'])} groups the same; then {len(gone)} answers taken by "
            f"retention: {found}"
        )
        assert gone
        assert found.scored.lost == gone
        assert not found.scored.double
        assert not found.cells


async def lose_scoring(it: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """As docs/operations.md has it: the service down, its schema gone and made anew."""
    await it.down("scoring")
    await execute(it.fleet.database_url, "DROP SCHEMA scoring CASCADE")
    monkeypatch.setenv("EARSHOT_DATABASE_URL", it.fleet.database_url)
    assert await asyncio.to_thread(migrate, ["scoring"]) == 0


async def rebuild(it: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    await lose_scoring(it, monkeypatch)
    await it.up(1, "scoring")
    await it.settle()


async def scores(it: Deployment, until: datetime) -> dict[str, Any]:
    asked = {"metric": "nps", "by": "region,queue", "to": until.isoformat()}
    asked["from"] = (until - timedelta(days=7)).isoformat()
    found: dict[str, Any] = await it.replicas["scoring"][0].get("/v1/scores", **asked)
    return {name: value for name, value in found.items() if name not in MOVING}
