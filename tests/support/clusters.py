"""PostgreSQL as operators run it: backed up, lost, restored elsewhere, by its own programs."""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import asyncpg

from shared.db import SCHEMAS
from shared.embedded.cluster import (
    DATABASE,
    USER,
    Postmaster,
    build_postgres_launch,
    cluster_folder,
    make_cluster,
)
from shared.embedded.privileges import Account, choose_account
from shared.embedded.processes import is_alive, spawn
from shared.embedded.readiness import wait_ready
from shared.migrating import migrate
from tests.support.ports import free_ports

PASSWORD: Final = "of-the-tests"
_PATIENCE_S: Final = 120.0


@dataclass
class Cluster:
    """A server under a folder of its own, which keeps its WAL in `archive`.

    What is not a coroutine is not to be called in a loop.
    """

    var: Path
    archive: Path
    port: int = field(default_factory=lambda: free_ports(1)[0])
    pid: int = 0

    @property
    def url(self) -> str:
        """As the services reach it."""
        return self._url(USER)

    @property
    def root_url(self) -> str:
        return self._url("postgres")

    def make(self, *, migrated: bool = True) -> None:
        """A fresh one, started, with the services' tables or empty."""
        self._own(self.var)
        self._own(self.archive)
        make_cluster(self.var, self._account, PASSWORD)
        self.start()
        for service in SCHEMAS if migrated else ():
            migrate(self.url, service)

    def start(self, **settings: str) -> None:
        """Start it; return once it takes writes."""
        told = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "wal_level": "replica",
            "archive_mode": "on",
            "archive_command": f"test ! -f {self.archive}/%f && cp %p {self.archive}/%f",
            "timezone": "UTC",
            **settings,
        }
        words = [word for name, value in told.items() for word in ("-c", f"{name}={value}")]
        command = ["postgres", "-D", str(cluster_folder(self.var)), *words]
        launch = build_postgres_launch(command, self.var, self._account)
        self.pid = spawn(launch, self.var / "postgres.log")
        server = Postmaster(self.pid, self.port)
        if not asyncio.run(wait_ready(server, PASSWORD, _PATIENCE_S)):
            raise AssertionError((self.var / "postgres.log").read_text()[-3000:])
        asyncio.run(self._recovered())

    def take_over(self, base: Path) -> None:
        """Lay down a base backup, from which the next start recovers."""
        self._own(self.var)
        base.rename(cluster_folder(self.var))
        (cluster_folder(self.var) / "recovery.signal").touch()

    def lose(self) -> None:
        """The machine is gone, and its disk with it; the archive is elsewhere."""
        self.kill()
        shutil.rmtree(cluster_folder(self.var))

    def kill(self) -> None:
        if self.pid and is_alive(self.pid):
            os.kill(self.pid, signal.SIGQUIT)
            while is_alive(self.pid):
                time.sleep(0.01)

    def run(self, program: str, *words: str) -> None:
        """One of PostgreSQL's own programs, as the server's user."""
        launch = build_postgres_launch([program, *words], self.var, self._account)
        done = subprocess.run(
            launch.command, env={**launch.environment, "PGPASSWORD": PASSWORD}, cwd="/",
            user=launch.uid, group=launch.gid, extra_groups=None if launch.uid is None else [],
            capture_output=True, text=True, check=False, timeout=_PATIENCE_S,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    async def archived(self) -> None:
        """What has been written until now is in the archive, as `archive_timeout` would see to."""
        segment = await ask(self.root_url, "SELECT pg_walfile_name(pg_switch_wal())")
        async with asyncio.timeout(_PATIENCE_S):
            while not (self.archive / segment).exists():
                await asyncio.sleep(0.05)

    async def _recovered(self) -> None:
        async with asyncio.timeout(_PATIENCE_S):
            while await ask(self.url, "SELECT pg_is_in_recovery()"):
                await asyncio.sleep(0.05)

    async def now(self) -> datetime:
        found: datetime = await ask(self.url, "SELECT clock_timestamp()")
        return found

    def _url(self, role: str) -> str:
        return f"postgresql://{role}:{PASSWORD}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def _account(self) -> Account | None:
        return choose_account(cluster_folder(self.var))

    def _own(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        account = choose_account(folder / "none")
        if account is not None:
            os.chown(folder, account.uid, account.gid)


async def ask(url: str, query: str) -> Any:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()
