"""Services as processes of their own, started as a deployment starts them, with their moments."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import httpx
import psutil

from benchmarks.growth.growing import Place
from tests.support.ports import free_ports

SERVICES: Final = ("ingest", "scoring", "trigger", "alerts")
_LOOK_S: Final = 0.01
_READY_S: Final = 90.0
_END_S: Final = 20.0
_FIRST_WORDS: Final = b"settings"  # what a service says when it has imported everything


@dataclass(frozen=True)
class Started:
    """A service that is ready, and the seconds after its exec at which it came how far."""

    service: str
    url: str
    process: psutil.Process
    imported_s: float
    opened_s: float
    ready_s: float
    processor_s: float


@asynccontextmanager
async def started(place: Place, url: str, service: str) -> AsyncIterator[Started]:
    """One service on the real servers and on this database, from its exec to its `/readyz`."""
    (port,) = free_ports(1)
    environment = {
        **{name: text for name, text in os.environ.items() if not name.startswith("EARSHOT_")},
        "EARSHOT_KAFKA_BOOTSTRAP": place.servers.broker.bootstrap,
        "EARSHOT_DATABASE_URL": url,
        "EARSHOT_TOKEN_KEYS": "a-key-of-the-benchmarks",
        "EARSHOT_VAR": str(place.servers.var),
        f"EARSHOT_{service.upper()}_PORT": str(port),
    }
    command = [sys.executable, "-m", f"services.{service}"]
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        yield await _watched(process, service, f"http://127.0.0.1:{port}", began)
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Politely: a killed member keeps its partitions from the next one for a session."""
    process.terminate()
    try:
        async with asyncio.timeout(_END_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _watched(
    process: asyncio.subprocess.Process, service: str, url: str, began: float
) -> Started:
    said = process.stdout
    assert said is not None
    async with asyncio.timeout(_READY_S):
        while _FIRST_WORDS not in (line := await said.readline()):
            if not line:
                raise SystemExit(f"{service} has ended")
        imported_s = time.perf_counter() - began
        reading = asyncio.create_task(_forget(said))
        opened_s = 0.0
        async with httpx.AsyncClient(trust_env=False) as http:
            while (status := await _status(http, url)) != httpx.codes.OK:
                opened_s = opened_s or (time.perf_counter() - began if status else 0.0)
                await asyncio.sleep(_LOOK_S)
        ready_s = time.perf_counter() - began
    _READING.add(reading)
    reading.add_done_callback(_READING.discard)
    seen = psutil.Process(process.pid)
    times = seen.cpu_times()
    return Started(
        service, url, seen, imported_s, opened_s or ready_s, ready_s, times.user + times.system
    )


_READING: Final = set[asyncio.Task[None]]()


async def _forget(said: asyncio.StreamReader) -> None:
    """Read on: who is not read stands still."""
    while await said.read(65_536):
        pass


async def _status(http: httpx.AsyncClient, url: str) -> int:
    """What `/readyz` says; 0 while nobody listens."""
    try:
        return (await http.get(f"{url}/readyz")).status_code
    except httpx.TransportError:
        return 0
