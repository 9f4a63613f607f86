"""What breaks: at random, one thing at a time, and mended after seconds."""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from benchmarks.soak.stage import Stage
from shared.embedded.processes import StartFailed
from tests.support.fleet import Replica
from tests.support.proxy import Proxy

PAUSE_S = (10.0, 30.0)  # between two faults


@dataclass
class Chaos:
    """Kills, stops and cuts until cancelled. `log` says what, when and for how long.

    The elders are never killed, so that their memory can be watched over the whole run.
    """

    stage: Stage
    luck: random.Random
    log: list[tuple[float, str, float]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    async def run(self, stop: asyncio.Event) -> None:
        faults: Sequence[tuple[str, Callable[[], Awaitable[str]]]] = (
            ("kill -9 of a replica", self._kill_replica),
            ("kill -9 of a replica", self._kill_replica),
            ("SIGSTOP of a replica", self._stop_replica),
            ("kill -9 of PostgreSQL", self._kill_postgres),
            ("kill -9 of Kafka", self._kill_kafka),
            ("connections cut", self._cut),
            ("black hole", self._hole),
        )
        while not stop.is_set():
            try:
                async with asyncio.timeout(self.luck.uniform(*PAUSE_S)):
                    await stop.wait()
            except TimeoutError:
                name, fault = self.luck.choice(faults)
                began = time.monotonic()
                try:
                    what = await fault()
                except (AssertionError, StartFailed) as error:  # a finding; the run goes on
                    what = f"NOT MENDED: {str(error)[:2000]}"
                    self.broken.append(f"{name}: {what}")
                took = time.monotonic() - began
                self.log.append((began - self.began, f"{name}: {what}", took))
                print(f"{began - self.began:7.0f} s  {name}: {what}, {took:.1f} s", flush=True)

    @property
    def counts(self) -> Counter[str]:
        return Counter(what.partition(":")[0] for _, what, _ in self.log)

    async def _kill_replica(self) -> str:
        replica = self.luck.choice(self.stage.mortals)
        replica.kill()
        await self._wait(1, 4)
        await replica.start()
        return replica.service

    async def _stop_replica(self) -> str:
        replica: Replica = self.luck.choice(self.stage.replicas)
        replica.signal(signal.SIGSTOP)
        await self._wait(2, 15)
        replica.signal(signal.SIGCONT)
        return replica.service

    async def _kill_postgres(self) -> str:
        self.stage.ground.kill_postgres()
        await self._wait(1, 4)
        await self.stage.ground.revive()
        return "started again"

    async def _kill_kafka(self) -> str:
        self.stage.ground.kill_kafka()
        await self._wait(1, 4)
        await self.stage.ground.revive()
        return "started again"

    async def _cut(self) -> str:
        return await self._through(lambda proxy: proxy.cut(), (0.5, 3))

    async def _hole(self) -> str:
        return await self._through(lambda proxy: proxy.hole(), (2, 10))

    async def _through(
        self, fault: Callable[[Proxy], AbstractContextManager[None]], span: tuple[float, float]
    ) -> str:
        name, proxy = self.luck.choice(self.stage.proxies)
        with fault(proxy):
            await self._wait(*span)
        return name

    async def _wait(self, least: float, most: float) -> None:
        await asyncio.sleep(self.luck.uniform(least, most))
