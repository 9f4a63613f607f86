"""What replicas say of themselves while something is broken, looked at ten times a second."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from tests.support.fleet import Replica

_LOOK_S = 5.0


@dataclass
class Watch:
    """`ill`: who did not say 200 on /healthz; `unready`: who said 503 on /readyz, and how often.

    `slowest_s` is the longest that either took to answer.
    """

    replicas: Sequence[Replica]
    ill: list[str] = field(default_factory=list)
    unready: dict[str, int] = field(default_factory=dict)
    slowest_s: float = 0.0

    async def run(self) -> None:
        async with httpx.AsyncClient(timeout=_LOOK_S, trust_env=False) as http:
            while True:
                await asyncio.gather(*(self._look(http, replica) for replica in self.replicas))
                await asyncio.sleep(0.1)

    async def _look(self, http: httpx.AsyncClient, replica: Replica) -> None:
        if await self._get(http, replica, "/healthz") != httpx.codes.OK:
            self.ill.append(replica.service)
        if await self._get(http, replica, "/readyz") != httpx.codes.OK:
            self.unready[replica.service] = self.unready.get(replica.service, 0) + 1

    async def _get(self, http: httpx.AsyncClient, replica: Replica, path: str) -> int | str:
        began = asyncio.get_running_loop().time()
        try:
            return (await http.get(f"{replica.url}{path}")).status_code
        except httpx.HTTPError as error:
            return type(error).__name__
        finally:
            took = asyncio.get_running_loop().time() - began
            self.slowest_s = max(self.slowest_s, took)


@asynccontextmanager
async def watched(replicas: Sequence[Replica]) -> AsyncIterator[Watch]:
    """Look while the block runs."""
    watch = Watch(replicas)
    looking = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        looking.cancel()
        await asyncio.wait({looking})


async def until_all_ready(replicas: Sequence[Replica], within_s: float = 60.0) -> float:
    """Wait until each says that it is ready; how long that took."""
    began = asyncio.get_running_loop().time()
    await asyncio.gather(*(replica.until_ready(within_s) for replica in replicas))
    return asyncio.get_running_loop().time() - began


async def answered_late(replica: Replica, bucket_s: float) -> float:
    """How many requests took it longer than that, by its own histogram."""
    name = "earshot_http_request_duration_seconds_bucket"
    text = (await replica.http.get(f"{replica.url}/metrics")).text  # once: this is counted as well
    within, ever = (
        sum(
            float(line.rpartition(" ")[2])
            for line in text.splitlines()
            if line.startswith(name) and f'le="{bucket}"' in line
        )
        for bucket in (bucket_s, "+Inf")
    )
    assert within > 100
    return ever - within
