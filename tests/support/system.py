"""The whole system as a user starts it: `python -m services` in a process of its own."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from shared.embedded.system import stop_blocking
from tests.support.ports import free_ports

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("ingest", "scoring", "trigger", "alerts")


class System:
    """Start it, kill it, start it again: the folder `var` stays."""

    def __init__(self, var: Path, settings: Mapping[str, str]) -> None:
        ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
        self.var = var
        self.urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("EARSHOT_")},
            "EARSHOT_VAR": str(var),
            "PYTHONPATH": str(ROOT),
            **{f"EARSHOT_{name.upper()}_PORT": str(port) for name, port in ports.items()},
            "EARSHOT_PUBLIC_URL": self.urls["ingest"],
            "EARSHOT_TRIGGER_URL": self.urls["trigger"],
            **settings,
        }
        self.http = httpx.AsyncClient(timeout=40, trust_env=False)
        self.process: subprocess.Popen[bytes] | None = None

    def launch(self) -> subprocess.Popen[bytes]:
        self.var.mkdir(parents=True, exist_ok=True)
        with (self.var / "services.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services"],
                cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        return self.process

    async def start(self, within_s: float = 30.0) -> float:
        """Return the seconds until all four services were ready."""
        started = time.monotonic()
        process = self.launch()
        while not await self.ready():
            if process.poll() is not None or time.monotonic() - started > within_s:
                raise AssertionError(f"not ready; log:\n{self.log()[-3000:]}")
            await asyncio.sleep(0.05)
        return time.monotonic() - started

    async def ready(self) -> bool:
        try:
            replies = [await self.http.get(f"{url}/readyz") for url in self.urls.values()]
        except httpx.HTTPError:
            return False
        return all(reply.status_code == httpx.codes.OK for reply in replies)

    def log(self) -> str:
        return (self.var / "services.log").read_text(errors="replace")

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def terminate(self) -> int:
        """SIGTERM; return the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    async def get(self, service: str, path: str, **params: Any) -> Any:
        reply = await self.http.get(f"{self.urls[service]}{path}", params=params)
        assert reply.status_code == httpx.codes.OK, reply.text
        return reply.json()

    async def post(self, service: str, path: str, body: Any) -> httpx.Response:
        return await self.http.post(f"{self.urls[service]}{path}", json=body)

    async def close(self) -> None:
        await self.http.aclose()
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        stop_blocking(self.var)


@asynccontextmanager
async def open_system(var: Path, **settings: str) -> AsyncIterator[System]:
    system = System(var, settings)
    try:
        yield system
    finally:
        await system.close()
