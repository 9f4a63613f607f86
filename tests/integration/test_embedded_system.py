import asyncio
import os
import signal
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from shared.embedded.files import Locked, hold_lock, token_keys
from shared.embedded.postgres import Options
from shared.embedded.processes import StartFailed
from shared.embedded.system import build_watch, running, start, start_blocking, stop, stop_blocking

FAST = Options(durable=False)
TOPICS = {"answers": 12}


async def answers(engine: AsyncEngine) -> bool:
    await asyncio.sleep(0.02)
    with suppress(OSError, DBAPIError):
        async with engine.connect() as connection:
            return bool(await connection.scalar(text("SELECT 1")))
    return False


@pytest.fixture(scope="module")
def var(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One folder for all tests here: a start adopts or repairs what the last one left."""
    folder = tmp_path_factory.mktemp("system") / "var"
    yield folder
    stop_blocking(folder)


@pytest.mark.thorough
async def test_what_runs_is_found_until_it_is_stopped(var: Path) -> None:
    assert not await stop(var)
    embedded = await start(var, TOPICS, FAST)

    assert running(var) == embedded
    for pid in (embedded.postgres_pid, embedded.kafka_pid):
        assert os.getsid(pid) == pid, "a Ctrl-C in our terminal must not reach it"
    assert await stop(var)
    assert not await stop(var)
    assert running(var) is None


@pytest.mark.thorough
async def test_both_killed_start_again(var: Path) -> None:
    first = await start(var, TOPICS, FAST)
    os.kill(first.postgres_pid, signal.SIGKILL)
    os.kill(first.kafka_pid, signal.SIGKILL)

    async with asyncio.timeout(5):
        while running(var) is not None:  # a kill takes a moment
            await asyncio.sleep(0.01)
    again = await start(var, TOPICS, FAST)

    assert again.database_url == first.database_url
    assert again.kafka_log != first.kafka_log


@pytest.mark.thorough
def test_starts_at_once_share_one_pair_of_servers(tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        starts = [pool.submit(start_blocking, tmp_path, TOPICS, FAST) for _ in range(3)]
        try:
            assert len({each.result() for each in starts}) == 1
        finally:
            stop_blocking(tmp_path)


@pytest.mark.thorough
async def test_a_killed_postgres_is_brought_back_at_its_address(var: Path) -> None:
    embedded = await start(var, TOPICS, FAST)
    ending = asyncio.Event()
    watch = build_watch(var, embedded, FAST, pause=0.02)

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(watch(ending))
        os.kill(embedded.postgres_pid, signal.SIGKILL)
        engine = create_async_engine(embedded.database_url)
        while not await answers(engine):
            pass
        ending.set()

    await engine.dispose()
    assert running(var) != embedded


@pytest.mark.thorough
async def test_the_watch_ends_when_the_servers_were_stopped(var: Path) -> None:
    embedded = await start(var, TOPICS, FAST)
    watch = build_watch(var, embedded, FAST, pause=0.02)
    await stop(var)

    with pytest.raises(StartFailed):
        await watch(asyncio.Event())
    assert running(var) is None


async def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")

    with pytest.raises(StartFailed, match=r"folder .*var .*EARSHOT_VAR"):
        await start(tmp_path / "var", TOPICS, FAST)


def test_a_held_lock_names_its_holder(tmp_path: Path) -> None:
    with (
        hold_lock(tmp_path / "lock"),
        pytest.raises(Locked) as raised,
        hold_lock(tmp_path / "lock"),
    ):
        pass

    assert raised.value.pid == os.getpid()


def test_token_keys_are_drawn_once_and_kept_to_ourselves(tmp_path: Path) -> None:
    keys = token_keys(tmp_path)

    assert len(keys) == 1
    assert len(keys[0]) >= 43
    assert token_keys(tmp_path) == keys
    assert stat.S_IMODE((tmp_path / "token.keys").stat().st_mode) == 0o600
