"""Processes that live for a while and die: by kill -9 at any moment, or at a step by failpoint."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from signal import SIGKILL

from shared.failpoints import VARIABLE, Point
from tests.support.fleet import Replica


@dataclass
class Lives:
    """Every replica is killed again and again, each life ending in a way of its own.

    All ways come up before one comes again.
    """

    luck: Random
    points: Sequence[Point]
    longest_s: float = 2.0
    passes: int = 4
    deaths: Counter[str] = field(default_factory=Counter)
    _ways: list[Point | None] = field(default_factory=list, init=False)

    async def lead(self, replicas: Sequence[Replica], number: int) -> None:
        """So many lives of each; then each is started once more, to stay."""
        async with asyncio.TaskGroup() as group:
            for replica in replicas:
                group.create_task(self._lead(replica, number))

    async def until(self, number: int, leading: asyncio.Task[None]) -> None:
        """Wait until so many have died, or the last lives go on."""
        while self.deaths.total() < number and not leading.done():
            await asyncio.sleep(0.02)

    async def _lead(self, replica: Replica, number: int) -> None:
        if replica.alive:
            replica.kill()
        for _ in range(number):
            self.deaths[await self._live(replica)] += 1
        await replica.start()

    async def _live(self, replica: Replica) -> str:
        """One life; return what ended it."""
        self._ways = self._ways or self.luck.sample([None, *self.points], len(self.points) + 1)
        point = self._ways.pop()
        armed = {} if point is None else {VARIABLE: f"{point}:{self.luck.randint(1, self.passes)}"}
        replica.launch(**armed)
        while replica.alive and not await replica.ready():
            await asyncio.sleep(0.05)
        with suppress(TimeoutError):
            await replica.ended(self.luck.uniform(0.1, self.longest_s))
        if replica.alive:
            replica.kill()
            return "kill -9"
        code = await replica.ended()  # it may have died at the very end of the time
        assert (code, point is None) == (-SIGKILL, False), replica.log()[-3000:]
        return str(point)

    def __str__(self) -> str:
        ways = ", ".join(f"{number} {how}" for how, number in sorted(self.deaths.items()))
        return f"{self.deaths.total()} deaths ({ways})"
