"""Replicas replaced one after another, as a Deployment with maxSurge 1 and a Service does it."""

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.support.callers import Body, Caller
from tests.support.fleet import Fleet, Replica

PRE_STOP_S = 1.5  # 5 s in deploy/k8s: the time in which every node hears of it
HEARD_S = 0.5


@dataclass
class Endpoints:
    """A Service: connections go round its ready replicas, and it looks into none."""

    replicas: list[Replica]
    _turns: Iterator[int] = field(default_factory=itertools.count)

    def pick(self) -> int:
        """The port of the next connection."""
        return self.replicas[next(self._turns) % len(self.replicas)].port

    def callers(self, path: str, number: int, body: Body = lambda number: None) -> list[Caller]:
        """So many: every second keeps its connection, the others open one for each request."""
        drawn = itertools.count()
        return [
            Caller(0, path, keeps=n % 2 == 0, body=body, numbers=drawn, pick=self.pick)
            for n in range(number)
        ]


@dataclass(frozen=True)
class Leave:
    """How one replica ended."""

    service: str
    code: int
    took_s: float


async def roll(fleet: Fleet, service: str, endpoints: Endpoints) -> list[Leave]:
    """Replace every replica: a new one is ready first, then an old one is asked to leave."""
    leaves = []
    for old in list(endpoints.replicas):
        endpoints.replicas += await fleet.up(service)
        leaves.append(await _leave(old, endpoints))
    return leaves


async def _leave(old: Replica, endpoints: Endpoints) -> Leave:
    await asyncio.sleep(HEARD_S)
    endpoints.replicas.remove(old)
    await asyncio.sleep(PRE_STOP_S - HEARD_S)
    code, took_s = await old.terminate()
    return Leave(old.service, code, took_s)
