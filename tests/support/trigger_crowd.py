"""Several who decide at once on one database, as processes do: a connection and a moment each."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from random import Random
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.domain.occasions import read_occasion
from services.trigger.handlers import Arrival, Desk, Publish, on_batch, on_due
from services.trigger.store.ledger import SqlLedger
from shared.events import Event, SurveyDecision, SurveyOptout
from shared.programme.models import Programme
from tests.support.trigger import CHANNELS

MANY = 500


class Crowd:
    """Batches and workers that run into one another; each publishes after a moment of its own."""

    def __init__(self, engine: AsyncEngine, programme: Programme, seed: int = 0) -> None:
        self.engine = engine
        self.programme = programme
        self.told: list[SurveyDecision] = []
        self._random = Random(seed)

    async def batch(
        self, events: Sequence[Event], now: datetime, optouts: Sequence[SurveyOptout] = ()
    ) -> None:
        """A batch as the consumer has it, in a transaction of its own."""
        paths = self.programme.segments.paths
        arrivals = [Arrival(read_occasion(event, paths)) for event in events]
        await self._dawdle()
        async with self.engine.begin() as connection:
            desk = Desk(self.programme, CHANNELS, now)
            told: list[SurveyDecision] = []
            await on_batch(arrivals, optouts, SqlLedger(connection), self._publish(told), desk)
        self.told += told

    async def due(self, now: datetime, most: int = MANY) -> int:
        """The worker's look at what is due, in a transaction of its own."""
        await self._dawdle()
        async with self.engine.begin() as connection:
            desk = Desk(self.programme, CHANNELS, now)
            told: list[SurveyDecision] = []
            number = await on_due(most, SqlLedger(connection), self._publish(told), desk)
        self.told += told
        return number

    async def asked(self) -> list[tuple[str, str, str]]:
        """(survey, customer, subject) of all that was booked and not taken back."""
        query = (
            "SELECT survey, customer_id, subject_id FROM invitations"
            " WHERE status <> 'cancelled' ORDER BY 1, 2, 3"
        )
        async with self.engine.connect() as connection:
            return [(row[0], row[1], row[2]) for row in await connection.execute(sa.text(query))]

    async def waiting(self) -> int:
        async with self.engine.connect() as connection:
            found: Any = await connection.scalar(sa.text("SELECT count(*) FROM waiting"))
            return int(found)

    def _publish(self, told: list[SurveyDecision]) -> Publish:
        async def publish(decisions: Sequence[SurveyDecision]) -> None:
            told.extend(decisions)
            await self._dawdle()

        return publish

    async def _dawdle(self) -> None:
        await asyncio.sleep(self._random.choice((0, 0, 0.001, 0.004)))


async def at_once(*doings: Callable[[], Awaitable[object]]) -> None:
    """All of them from one moment on."""
    ready = asyncio.Barrier(len(doings))

    async def one(doing: Callable[[], Awaitable[object]]) -> None:
        await ready.wait()
        await doing()

    async with asyncio.TaskGroup() as group:
        for doing in doings:
            group.create_task(one(doing))
