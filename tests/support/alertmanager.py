"""Alertmanager: the real one on a free port, and a fake that is held to it."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from tests.support.ports import free_ports
from tests.support.tools import system_tool

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_CONFIG = "route: {receiver: none}\nreceivers: [{name: none}]\n"


@dataclass
class FakeAlertmanager:
    """Knows alerts by their labels; refuses what Alertmanager refuses."""

    alerts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != "/api/v2/alerts":
            return httpx.Response(404)
        if request.method == "GET":
            now = datetime.now(UTC)
            open_ = [a for a in self.alerts.values() if datetime.fromisoformat(a["endsAt"]) > now]
            return httpx.Response(200, json=open_)
        faults = [fault for alert in json.loads(request.content) if (fault := self._take(alert))]
        return httpx.Response(400, json="; ".join(faults)) if faults else httpx.Response(200)

    def _take(self, alert: dict[str, Any]) -> str | None:
        labels = {name: value for name, value in alert["labels"].items() if value}
        if not labels:
            return "at least one label pair required"
        if bad := [name for name in labels if not _LABEL.fullmatch(name)]:
            return f"invalid label set: invalid name {bad[0]!r}"
        if alert["startsAt"] > alert["endsAt"]:
            return "start time must be before end time"
        self.alerts[json.dumps(labels, sort_keys=True)] = alert | {"labels": labels}
        return None


@asynccontextmanager
async def open_fake() -> AsyncIterator[httpx.AsyncClient]:
    """A client of a fake Alertmanager."""
    transport = httpx.MockTransport(FakeAlertmanager().handle)
    async with httpx.AsyncClient(transport=transport, base_url="http://fake") as client:
        yield client


@asynccontextmanager
async def open_real(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of Debian's Alertmanager, started for this test on a free port."""
    program = system_tool("prometheus-alertmanager")
    (folder / "alertmanager.yml").write_text(_CONFIG, encoding="utf-8")
    (port,) = free_ports(1)
    process = await asyncio.create_subprocess_exec(
        program, f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", trust_env=False
        ) as client:
            await _until_ready(client)
            yield client
    finally:
        process.terminate()
        await process.wait()


async def _until_ready(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                if (await client.get("/-/ready")).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)
