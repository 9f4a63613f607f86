"""The operator's night: letters seen, the cause mended, all sent back, the command killed on it."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.embedded.system import running
from shared.errors import Reason
from shared.stream import Broker, Outgoing
from tests.support.embedded import execute
from tests.support.letters import RESPONSES, failed, held, put
from tests.support.scoring import record, response
from tests.support.system import ROOT, System, open_system

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[System]:
    async with open_system(tmp_path / "var") as system:
        await system.start()
        yield system


def servers_of(system: System) -> tuple[str, Broker]:
    found = running(system.var)
    assert found is not None
    return found.database_url, Broker(found.kafka_bootstrap, found.kafka_log, embedded=True)


def command(system: System, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services", "deadletters", *arguments],
        cwd=ROOT, env=system.environment | settings,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def groups(system: System) -> dict[str, dict[str, Any]]:
    """By reason."""
    said = command(system, "list", "--json")
    assert said.returncode == 0, said.stderr
    return {group["reason"]: group for group in map(json.loads, said.stdout.splitlines())}


async def until_letters(system: System, **wanted: int) -> dict[str, dict[str, Any]]:
    async with asyncio.timeout(20):
        while True:
            found = await asyncio.to_thread(groups, system)
            if {reason: group["letters"] for reason, group in found.items()} == {
                reason.replace("_", "-"): number for reason, number in wanted.items()
            }:
                return found
            await asyncio.sleep(0.1)


async def counted(system: System) -> Counter[str]:
    """Each answer's id, as often as it is listed; as many as the score has."""
    keys: list[str] = []
    params = {"metric": "nps", "window": "24h", "limit": "500"}
    while True:
        page = await system.get("scoring", "/v1/responses", **params)
        keys += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        params["cursor"] = page["next"]
    scores = await system.get("scoring", "/v1/scores", metric="nps", window="24h")
    assert sum(group["n"] for group in scores["groups"]) == len(keys)
    return Counter(keys)


async def until_counted(system: System, *keys: str) -> None:
    async with asyncio.timeout(30):
        while set(await counted(system)) != set(keys):
            await asyncio.sleep(0.1)
    assert await counted(system) == Counter(keys)


async def test_letters_of_a_fault_in_the_database_are_counted_once_it_is_mended(
    system: System,
) -> None:
    database_url, broker = servers_of(system)
    await execute(database_url, "ALTER TABLE scoring.answers ADD CONSTRAINT b CHECK (score <> 3)")
    for key, score in (("r-1", 3), ("r-2", 9), ("r-3", 3)):
        body = {"id": key, "metric": "nps", "answers": {"score": score}}
        assert (await system.post("ingest", "/v1/responses", body)).status_code == 202
    await put(broker, Outgoing(RESPONSES, b"k", b"{"), Outgoing(RESPONSES, None, None))
    found = await until_letters(system, database=2, bad_json=2)
    shown = command(system, "show", found["database"]["sample"])
    assert 'key       "r-' in shown.stdout
    assert '"score": 3' in shown.stdout

    await execute(database_url, "ALTER TABLE scoring.answers DROP CONSTRAINT b")
    replayed = command(system, "replay", "--reason", "database")
    assert (replayed.returncode, replayed.stdout.splitlines()[-1]) == (
        0,
        "2 of 2 letters sent back",
    )
    await until_counted(system, "r-1", "r-2", "r-3")

    again = command(system, "replay", "--reason", "database", "--reason", "bad-json")
    assert again.stdout.splitlines()[-1] == "2 of 4 letters sent back"
    async with asyncio.timeout(20):  # nothing could be mended in these
        while (await asyncio.to_thread(groups, system))["bad-json"]["failures"] < 2:
            await asyncio.sleep(0.1)
    found = await until_letters(system, database=0, bad_json=2)
    assert (found["bad-json"]["replayed"], found["bad-json"]["failures"]) == (2, 2)
    assert "up to 2 times" in command(system).stdout
    await until_counted(system, "r-1", "r-2", "r-3")


@pytest.mark.parametrize("step", [1, 2, 3, 4])
async def test_kill_9_in_the_middle_of_a_replay_loses_and_doubles_nothing(
    step: int, system: System
) -> None:
    """Kafka acknowledges: 1 a batch of 500, 2 its mark, 3 the last 100, 4 their mark; killed."""
    _, broker = servers_of(system)
    at = datetime.now(UTC) - timedelta(minutes=5)
    keys = [f"r-{number}" for number in range(600)]
    values = [record(response(key, answered_at=at, received_at=at)).value for key in keys]
    await put(broker, *map(unknown_survey, keys, values))
    verb = ("replay", "--reason", "unknown-survey")

    killed = command(system, *verb, EARSHOT_FAILPOINT=f"produced:{step}")
    assert (killed.returncode, killed.stdout) == (-9, "")
    rest = command(system, *verb)
    second = command(system, *verb)

    left = [600, 100, 100, 0][step - 1]
    assert rest.stdout.splitlines()[-1] == f"{left} of 600 letters sent back"
    assert second.stdout.splitlines()[-1] == "0 of 600 letters sent back"
    assert (rest.returncode, second.returncode) == (0, 0)
    await until_counted(system, *keys)
    sent = Counter(one.key for one in await held(broker, RESPONSES))
    assert set(sent) == {key.encode() for key in keys}
    assert sum(sent.values()) - len(sent) == [500, 0, 100, 0][step - 1]  # sent, not yet marked


def unknown_survey(key: str, value: bytes | None) -> Outgoing:
    """What an earlier programme left behind: the answer to a survey that it did not know."""
    why: dict[str, Any] = {"reason": Reason.UNKNOWN_SURVEY, "detail": "survey is not known"}
    return failed(value, key=key.encode(), **why)
