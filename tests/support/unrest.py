"""Replicas that stand still, die and come back at random, never all of one service at once."""

import asyncio
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from tests.support.fleet import Replica

_STILL_S = (0.5, 6.0)
_DEAD_S = (0.0, 1.0)
_CALM_S = (0.2, 1.0)


@dataclass
class Unrest:
    """What was done to whom, for as long as `stop` is not set."""

    luck: Random
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    deeds: Counter[str] = field(default_factory=Counter)

    async def stir(self, replicas: Sequence[Replica]) -> None:
        """One of them at a time; all are ready when this returns."""
        while not self.stop.is_set():
            await asyncio.sleep(self.luck.uniform(*_CALM_S))
            victim = self.luck.choice(replicas)
            if self.luck.random() < 0.5:
                victim.signal(signal.SIGSTOP)
                await asyncio.sleep(self.luck.uniform(*_STILL_S))
                victim.signal(signal.SIGCONT)
                self.deeds["stopped"] += 1
            else:
                victim.kill()
                await asyncio.sleep(self.luck.uniform(*_DEAD_S))
                victim.launch()
                self.deeds["killed"] += 1
            await victim.until_ready()

    def __str__(self) -> str:
        return " and ".join(f"{number} times {deed}" for deed, number in sorted(self.deeds.items()))
