"""Processes that take answers: ingest as it is served, and the two yardsticks."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.ingest.http_load import PATH, body_of
from benchmarks.ingest.kept import Kept
from benchmarks.servers import Servers
from shared.keys import new_key

ROOT: Final = Path(__file__).resolve().parents[2]
_UP_S: Final = 30.0


@dataclass(frozen=True, eq=False)
class Contender:
    """One or more processes of the same kind, each on its own port."""

    name: str
    ports: Sequence[int]
    processes: Sequence[psutil.Process]
    key: str = ""

    def cpu_s(self) -> float:
        """Processor time of its processes, in seconds."""
        times = [process.cpu_times() for process in self.processes]
        return float(sum(one.user + one.system for one in times))

    def taken(self, number: int) -> "Contender":
        """The same with so many of its processes."""
        return Contender(self.name, self.ports[:number], self.processes[:number], self.key)


class Stage:
    """Starts contenders and ends them all."""

    def __init__(self, at: Servers) -> None:
        self._at = at
        self._started: list[subprocess.Popen[bytes]] = []

    def yardstick(self, mode: str, processes: int = 2) -> Contender:
        """`echo` or `plain` of `benchmarks.ingest.apps`."""
        ports = [_free_port() for _ in range(processes)]
        commands = [
            ["benchmarks.ingest.apps", mode, str(port), self._at.broker.bootstrap] for port in ports
        ]
        return self._contender(mode, ports, [self._start(each, {}) for each in commands])

    def ingest(self, name: str, processes: int = 1, **settings: str) -> Contender:
        """`python -m services.ingest`, each process by these settings (without EARSHOT_)."""
        ports = [_free_port() for _ in range(processes)]
        started = [
            self._start(["services.ingest"], {"ingest_port": str(port), **settings})
            for port in ports
        ]
        return self._contender(name, ports, started)

    def keyed(self, name: str) -> Contender:
        """Ingest that asks for an API key."""
        key, digest = new_key("bench")
        file = self._at.var / "keys.json"
        file.write_text(json.dumps([{"id": "bench", "sha256": digest, "scopes": ["*"]}]))
        made = self.ingest(name, keys_file=str(file), rate_per_key="0")
        return Contender(name, made.ports, made.processes, key)

    def kept(self) -> Kept:
        """The topic into which they write."""
        return Kept(self._at.broker)

    def close(self) -> None:
        for each in self._started:
            each.kill()  # an idempotent send that is awaited never ends without its broker
        for each in self._started:
            each.wait()

    def _start(self, command: Sequence[str], settings: Mapping[str, str]) -> int:
        told = {
            "kafka_bootstrap": self._at.broker.bootstrap,
            "token_keys": "k" * 32,
            "programme": str(ROOT / "programme"),
            "log_level": "error",
            **settings,
        }
        environment = {k: v for k, v in os.environ.items() if not k.startswith("EARSHOT_")}
        environment |= {f"EARSHOT_{name.upper()}": value for name, value in told.items()}
        self._started.append(
            subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, env=environment)
        )
        return self._started[-1].pid

    def _contender(self, name: str, ports: Sequence[int], pids: Sequence[int]) -> Contender:
        for port in ports:
            _wait_for(port)
        return Contender(name, ports, [psutil.Process(pid) for pid in pids])


@contextmanager
def stage(at: Servers) -> Iterator[Stage]:
    made = Stage(at)
    try:
        yield made
    finally:
        made.close()


def check(contender: Contender) -> None:
    """Each process takes one answer, and a batch of two. Raises SystemExit where it does not."""
    for port in contender.ports:
        one = _posted(contender, port, PATH, body_of(1))
        if one != {"id": "first-1", "status": "accepted"}:
            raise SystemExit(f"{contender.name} said {one}")
        batch = _posted(contender, port, f"{PATH}/batch", f"[{body_of(2)},{body_of(3)}]")
        items = batch["items"] if isinstance(batch, dict) else batch
        if [item["status"] for item in items] != ["accepted"] * 2:
            raise SystemExit(f"{contender.name} said {batch}")


def _posted(contender: Contender, port: int, path: str, body: str) -> Any:
    headers = {"content-type": "application/json"}
    if contender.key:
        headers["authorization"] = f"Bearer {contender.key}"
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", body.encode(), headers, method="POST"
    )
    with urllib.request.urlopen(request, timeout=10) as reply:  # nosec B310
        return json.load(reply)


def _free_port() -> int:
    with socket.socket() as plug:
        plug.bind(("127.0.0.1", 0))
        return int(plug.getsockname()[1])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + _UP_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"nothing listens on {port} after {_UP_S:g} s")
