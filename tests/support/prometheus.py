"""Debian's Prometheus with the project's configuration, but for what it scrapes and how often."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.support.ports import free_ports
from tests.support.tools import ROOT, system_tool

DEPLOYED = ROOT / "deploy" / "prometheus"
RUNBOOKS = ROOT / "docs" / "runbooks"


@dataclass
class Sample:
    """A value and its labels."""

    labels: dict[str, str]
    value: float


class Prometheus:
    """Asks it."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def query(self, expr: str) -> list[Sample]:
        """What the expression is now, without what is no number."""
        found = await self._ask("/api/v1/query", query=expr)
        samples = [Sample(one["metric"], float(one["value"][1])) for one in found["result"]]
        return [sample for sample in samples if not isnan(sample.value)]

    async def values(self, series: str, label: str) -> list[str]:
        """The label's values, as Grafana's `label_values` has them."""
        return sorted(
            {
                s.labels[label]
                for s in await self.query(f"group by ({label}) ({series})")
                if label in s.labels
            }
        )

    async def scraped(self, times: int) -> None:
        """Wait until each service was scraped so often from now on."""
        for _ in range(times):
            # `timestamp(up == 1)` would be the instant of the question, not that of the scrape
            done = f"min(timestamp(up)) > {time.time()} and count(up == 1) == 4"
            async with asyncio.timeout(30):
                while not await self.query(done):
                    await asyncio.sleep(0.1)

    async def rules(self) -> list[dict[str, Any]]:
        """Every rule, with its health and its alerts."""
        found = await self._ask("/api/v1/rules")
        return [rule for group in found["groups"] for rule in group["rules"]]

    async def _ask(self, path: str, **params: str) -> Any:
        reply = (await self._http.get(path, params=params)).json()
        assert reply["status"] == "success", (params, reply)
        return reply["data"]


def _configure(folder: Path, urls: Mapping[str, str]) -> None:
    deployed = yaml.safe_load((DEPLOYED / "prometheus.yml").read_text())
    (job,) = deployed["scrape_configs"]
    for target in job["static_configs"]:
        target["targets"] = [urls[target["labels"]["service"]].removeprefix("http://")]
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(DEPLOYED / "rules" / "*.yaml")],
        "scrape_configs": [job],
    }
    folder.mkdir()
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")


@asynccontextmanager
async def open_prometheus(folder: Path, urls: Mapping[str, str]) -> AsyncIterator[Prometheus]:
    """One that scrapes the services at these addresses each second."""
    program = system_tool("prometheus")
    _configure(folder, urls)
    (port,) = free_ports(1)
    process = await asyncio.create_subprocess_exec(
        program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20
        ) as http:
            await _ready(http)
            yield Prometheus(http)
    finally:
        process.terminate()
        await process.wait()


async def _ready(http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if (await http.get("/-/ready")).status_code == httpx.codes.OK:
                    return
            await asyncio.sleep(0.1)
