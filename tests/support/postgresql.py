"""Debian's own PostgreSQL, for what the wheel's cannot do."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import Paper
from tests.support.ports import free_ports

_READY_S = 30.0


@dataclass(frozen=True)
class Server:
    port: int
    password: str = "made-for-one-test"

    def url(self, host: str = "127.0.0.1", words: str = "") -> str:
        return f"postgresql://earshot:{self.password}@{host}:{self.port}/postgres{words}"


@contextmanager
def run_server(paper: Paper | None) -> Iterator[Server]:
    """A server that takes TCP connections, in TLS alone where it has a certificate."""
    folder = Path(tempfile.mkdtemp(prefix="earshot-postgresql-"))
    (port,) = free_ports(1)
    server = Server(port)
    try:
        (folder / "password").write_text(server.password)
        if paper is not None:
            shutil.copy(paper.cert, folder / "server.crt")
            shutil.copy(paper.key, folder / "server.key")
            (folder / "server.key").chmod(0o600)
        _give(folder)
        _run(
            _program("initdb"), "-D", folder / "data", "-U", "earshot", "-A", "scram-sha-256",
            "--pwfile", folder / "password", "--no-sync",
        )  # fmt: skip
        hba = folder / "data" / "pg_hba.conf"
        kind = "host" if paper is None else "hostssl"
        hba.write_text(f"{kind} all all 127.0.0.1/32 scram-sha-256\n")
        with _started(folder, port, tls=paper is not None):
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _started(folder: Path, port: int, *, tls: bool) -> Iterator[None]:
    told = {
        "listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": folder,
        "fsync": "off", "ssl": "on" if tls else "off", "ssl_cert_file": folder / "server.crt",
        "ssl_key_file": folder / "server.key",
    }  # fmt: skip
    words = [word for name, value in told.items() for word in ("-c", f"{name}={value}")]
    command = [_program("postgres"), "-D", folder / "data", *words]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*map(str, command)], stderr=log, **_account())
    try:
        _until_it_listens(process, port, folder / "log")
        yield
    finally:
        process.terminate()
        process.wait(20)


def _until_it_listens(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + _READY_S
    while True:
        assert process.poll() is None, log.read_text(errors="replace")
        assert time.monotonic() < deadline, log.read_text(errors="replace")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)


def _program(name: str) -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if not found:
        pytest.fail("Debian's package postgresql is not installed", pytrace=False)
    return found[-1]


def _account() -> dict[str, Any]:
    """PostgreSQL does not run as root."""
    if os.geteuid() != 0:
        return {}
    found = pwd.getpwnam("postgres")
    return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}


def _give(folder: Path) -> None:
    account = _account()
    for path in (folder, *folder.iterdir()) if account else ():
        os.chown(path, account["user"], account["group"])


def _run(*command: object) -> None:
    words: Sequence[str] = [*map(str, command)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, **_account())
    assert done.returncode == 0, done.stderr
