"""All four services at work: answers and calls come in through ingest, alerts judges."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.support.calls import CALLS, Asked, asked, until_told
from tests.support.evidence import Evidence, evidence
from tests.support.fleet import Fleet, Replica
from tests.support.load import Load
from tests.support.tally import Tally, tally, until_settled


@dataclass(frozen=True)
class Found:
    """What each service made of what was acknowledged, per id."""

    scored: Tally
    asked: Asked
    counted: Evidence

    @property
    def exact(self) -> bool:
        return self.scored.exact and self.asked.exact and self.counted.exact

    def __str__(self) -> str:
        return f"scoring {self.scored}; trigger {self.asked}; alerts {self.counted}"


@dataclass
class Whole:
    """The replicas by service, and what is sent to them."""

    fleet: Fleet
    ingest: Replica
    consumers: Sequence[Replica]
    answers: Load
    calls: Load

    @property
    def replicas(self) -> Sequence[Replica]:
        return (self.ingest, *self.consumers)

    @asynccontextmanager
    async def loaded(self, *, pause_s: float = 0.1) -> AsyncIterator[None]:
        """About 1,000 answers and 100 calls a second while the block runs."""
        sending = [
            asyncio.create_task(self.answers.run(senders=2, pause_s=pause_s)),
            asyncio.create_task(self.calls.run(senders=1, pause_s=2 * pause_s)),
        ]
        try:
            yield
        finally:
            self.answers.stop.set()
            self.calls.stop.set()
            await asyncio.gather(*sending)

    async def settled(self, within_s: float = 90.0) -> Found:
        """Once everything that was acknowledged has been worked off: what came of it."""
        await until_all_settled(self.fleet, within_s)
        return await self.found()

    async def found(self) -> Found:
        """What is acknowledged must be there; what was only tried may be."""
        fleet = self.fleet
        scored = await tally(fleet, self.answers.acked)
        calls = await asked(fleet, self.calls.acked)
        counted = await evidence(fleet, self.answers.acked)
        return Found(
            scored.without(self.answers.tried), calls.without(self.calls.tried),
            counted.without(self.answers.tried),
        )  # fmt: skip


async def open_whole(fleet: Fleet, *, scoring: int = 2) -> Whole:
    """One ingest, one trigger, one alerts, so many scoring: ready."""
    (ingest,), scorers, (trigger,), (alerts,) = await asyncio.gather(
        fleet.up("ingest"), fleet.up("scoring", scoring), fleet.up("trigger"), fleet.up("alerts")
    )
    urls = [ingest.url]
    return Whole(
        fleet,
        ingest,
        (*scorers, trigger, alerts),
        Load(fleet.http, urls),
        Load(fleet.http, urls, size=20, posting=CALLS),
    )


async def until_all_settled(fleet: Fleet, within_s: float) -> None:
    """Wait until every service has worked off what its topics hold, and told what it has to."""
    async with asyncio.timeout(within_s):
        await until_settled(fleet, "trigger", "support-calls", within_s)
        await until_told(fleet)
        await until_settled(fleet, "scoring", "survey-responses", within_s)
        await until_settled(fleet, "scoring", "survey-invitations", within_s)
        await until_settled(fleet, "alerts", "scored-responses", within_s)
