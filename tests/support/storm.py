"""kill -9 at random, of one process and of several, while they are at work."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

import asyncpg

from shared.stream import Broker
from tests.support.fleet import Fleet, Replica
from tests.support.load import feed
from tests.support.tally import connect

_PATIENCE_S = 40.0
_LONGEST_WAIT_S = 0.4
_LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError)


Write = Callable[[Broker, Sequence[int]], Awaitable[None]]


@dataclass
class Storm:
    """Each turn feeds a portion, waits until somebody works at it, and strikes then.

    `standing` is SQL for how far the consumers are altogether; `struck` counts who was killed.
    """

    fleet: Fleet
    luck: Random
    standing: str
    write: Write = feed
    struck: Counter[str] = field(default_factory=Counter)

    async def blow(
        self,
        replicas: Sequence[Replica],
        portions: Sequence[Sequence[int]],
        *,
        postgres_every: int = 0,
    ) -> None:
        """Strike once for each portion but the last; every so often the database as well."""
        for turn, portion in enumerate(portions[:-1], 1):
            before = await self.stand() or 0
            feeding = asyncio.ensure_future(self.write(self.fleet.broker, portion))
            await self._until_beyond(before)
            await asyncio.sleep(self.luck.uniform(0, _LONGEST_WAIT_S))
            self._strike(replicas)
            if postgres_every and turn % postgres_every == 0:
                self.fleet.ground.kill_postgres()
                self.struck["postgres"] += 1
                await self.fleet.ground.revive()
            await feeding
        await self.write(self.fleet.broker, portions[-1])

    def _strike(self, replicas: Sequence[Replica]) -> None:
        number = self.luck.choice((1, 1, len(replicas) - 1, len(replicas)))
        victims = self.luck.sample(list(replicas), number)
        for victim in victims:
            victim.kill()
        for victim in victims:
            victim.launch()
            self.struck[victim.service] += 1
        self.struck["several at once"] += number > 1

    async def stand(self) -> int | None:
        """How far they are; None while the database is away."""
        with suppress(*_LOST):
            connection = await connect(self.fleet.database_url)
            try:
                return int(await connection.fetchval(self.standing) or 0)
            finally:
                connection.terminate()
        return None

    async def _until_beyond(self, before: int) -> None:
        async with asyncio.timeout(_PATIENCE_S):
            while (await self.stand() or 0) <= before:
                await asyncio.sleep(0.03)

    async def until_still(self, for_s: float, within_s: float = 60.0) -> None:
        """Return once nothing has moved for so long."""
        loop = asyncio.get_running_loop()
        seen, since = await self.stand(), loop.time()
        async with asyncio.timeout(within_s):
            while loop.time() - since < for_s:
                await asyncio.sleep(0.1)
                now = await self.stand()
                if now != seen:
                    seen, since = now, loop.time()

    def __str__(self) -> str:
        return ", ".join(f"{number} kills of {who}" for who, number in sorted(self.struck.items()))


def portions(luck: Random, numbers: Sequence[int], turns: int) -> list[list[int]]:
    """The numbers, shuffled, in so many portions and one."""
    shuffled = luck.sample(numbers, len(numbers))
    size = -(-len(shuffled) // (turns + 1))
    return [shuffled[first : first + size] for first in range(0, len(shuffled), size)]
