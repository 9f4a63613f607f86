import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from shared.embedded.cluster import environment, find_postmaster
from shared.embedded.postgres import Options, Postgres, start_postgres, stop_postgres
from shared.embedded.privileges import NOBODY, Account, build_launch, find_closed
from shared.embedded.processes import StartFailed

DURABLE = Options()
FAST = Options(durable=False)
ROOT = Path(__file__).resolve().parents[2]
START = "import sys; from pathlib import Path; from shared.embedded.postgres import *; "

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")


@pytest.fixture
def var(tmp_path: Path) -> Iterator[Path]:
    """Under a closed home: nobody but its owner may pass."""
    yield from closed_home(tmp_path)


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The same, for all tests here that do not need it new."""
    yield from closed_home(tmp_path_factory.mktemp("used"))


def closed_home(folder: Path) -> Iterator[Path]:
    home = folder / "home"
    home.mkdir(mode=0o700)
    yield home / "var"
    if (home / "var").exists():
        stop_postgres(home / "var")


async def connect(postgres: Postgres) -> asyncpg.Connection:
    return await asyncpg.connect(postgres.url.replace("+asyncpg", ""), timeout=5)


async def query(postgres: Postgres, *statements: str) -> object:
    connection = await connect(postgres)
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        return await connection.fetchval(statements[-1])
    finally:
        await connection.close()


def test_a_committed_row_survives_a_kill_and_the_address_stays(used: Path) -> None:
    first = start_postgres(used, DURABLE)
    asyncio.run(query(first, "CREATE TABLE t (n int)", "INSERT INTO t VALUES (7)", "SELECT 1"))
    assert start_postgres(used, DURABLE) == Postgres(
        url=first.url, pid=first.pid, port=first.port, adopted=True
    )

    os.kill(first.pid, signal.SIGKILL)
    again = start_postgres(used, DURABLE)

    assert again.pid != first.pid
    assert again.url == first.url
    assert not again.adopted
    assert asyncio.run(query(again, "SELECT n FROM t")) == 7


async def test_a_query_that_outlives_its_killed_server_does_not_stop_the_next(used: Path) -> None:
    first = await asyncio.to_thread(start_postgres, used, FAST)
    connection = await connect(first)
    busy = asyncio.create_task(
        connection.fetchval("SELECT count(*) FROM generate_series(1, 10^9::bigint)")
    )
    await asyncio.sleep(0.1)

    os.kill(first.pid, signal.SIGKILL)
    again = await asyncio.to_thread(start_postgres, used, FAST)

    assert await query(again, "SELECT 1") == 1
    with pytest.raises((asyncpg.PostgresError, OSError)):
        await busy
    connection.terminate()


@pytest.mark.thorough
def test_a_start_killed_in_the_middle_of_initdb_leaves_nothing_in_the_way(var: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", START + "start_postgres(Path(sys.argv[1]))", str(var)], cwd=ROOT
    ) as start:
        deadline = time.monotonic() + 20
        while not list(var.glob("postgres.new-*/cluster/base")):
            assert time.monotonic() < deadline
        start.kill()
    assert not (var / "postgres").exists()

    assert asyncio.run(query(start_postgres(var, FAST), "SELECT 1")) == 1


def test_a_stale_pid_file_that_names_a_living_stranger_is_not_believed(var: Path) -> None:
    cluster = var / "postgres"
    cluster.mkdir(parents=True)
    stranger = psutil.Process()
    pid_file = f"{stranger.pid}\n{cluster}\n{int(stranger.create_time())}\n5432\n"
    (cluster / "postmaster.pid").write_text(pid_file)

    assert find_postmaster(var) is None


async def test_stopping_waits_for_no_client_and_may_be_repeated(used: Path) -> None:
    postgres = await asyncio.to_thread(start_postgres, used, FAST)
    client = await connect(postgres)

    began = time.monotonic()
    assert await asyncio.to_thread(stop_postgres, used)
    assert time.monotonic() - began < 5
    assert not await asyncio.to_thread(stop_postgres, used)
    client.terminate()


def test_a_lost_password_is_said_and_the_cluster_left_alone(var: Path) -> None:
    cluster = var / "postgres"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("18\n")

    with pytest.raises(StartFailed, match=r"postgres\.json"):
        start_postgres(var, FAST)
    assert not (var / "postgres.json").exists()


def test_nobody_enters_without_the_password_and_the_server_has_no_rights(used: Path) -> None:
    postgres = start_postgres(used, FAST)
    stranger = postgres.url.replace("+asyncpg", "").replace("://earshot:", "://earshot:x")

    with pytest.raises(asyncpg.InvalidPasswordError):
        asyncio.run(asyncpg.connect(stranger))
    assert stat.S_IMODE((used / "postgres.json").stat().st_mode) == 0o600
    assert psutil.Process(postgres.pid).uids().effective == (os.geteuid() or NOBODY)
    if os.geteuid() == 0:
        assert find_closed(Account(NOBODY, NOBODY), [used]) is not None


@pytest.mark.thorough
def test_a_cluster_that_cannot_start_is_explained_by_its_log(used: Path) -> None:
    start_postgres(used, FAST)
    stop_postgres(used)
    version = used / "postgres" / "PG_VERSION"
    version.write_text("9\n")

    with pytest.raises(StartFailed, match="initialized by PostgreSQL version 9"):
        start_postgres(used, FAST)
    version.write_text("18\n")


@as_root
def test_a_closed_home_without_setpriv_is_named(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    account = Account(NOBODY, NOBODY)
    closed = find_closed(account, [var.parent])

    with pytest.raises(StartFailed, match=rf"{closed} is closed.*setpriv.*EARSHOT_VAR"):
        start_postgres(var, FAST)


@as_root
def test_a_program_under_a_closed_home_is_found_as_postgresql_looks_for_it(var: Path) -> None:
    program = var.parent / "program"
    program.touch(mode=0o755)
    account = Account(NOBODY, NOBODY)
    code = "import os, sys; print(os.getuid(), os.access(sys.argv[1], os.R_OK | os.X_OK))"
    command = [sys.executable, "-c", code, str(program)]
    launch = build_launch(command, environment(), account, [program])

    said = subprocess.run(launch.command, capture_output=True, text=True, timeout=30, check=True)

    assert said.stdout == f"{NOBODY} True\n"


@pytest.mark.thorough
@as_root
def test_an_ordinary_user_runs_it_as_themselves(var: Path) -> None:
    account = Account(NOBODY, NOBODY)
    var.mkdir()
    os.chown(var, account.uid, account.gid)
    code = START + "v = Path(sys.argv[1]); print(start_postgres(v).pid, stop_postgres(v))"
    launch = build_launch([sys.executable, "-c", code, str(var)], environment(), account, [var])
    done = subprocess.run(
        launch.command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )

    assert done.stdout.endswith(" True\n"), done.stderr
    assert (var / "postgres").stat().st_uid == account.uid
