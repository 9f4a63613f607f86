"""Customers who are known, schedules that ask them, and a clock that is set."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.domain.schedules import slot_of
from services.trigger.handlers import Desk, on_batch
from services.trigger.store.ledger import SqlLedger
from services.trigger.worker.schedules import Schedules
from shared.columns import columns, insert_all
from shared.events import Event, SurveyDecision
from shared.programme.models import Programme
from shared.programme.surveys import Calendar
from shared.stream import KafkaUnavailable
from tests.support.trigger import CHANNELS, NOW, arrival, programme, shipped

DAY = timedelta(days=1)
CONTACT = {
    "customer_id": "text",
    "email": "text",
    "slot": "double precision",
    "seen_at": "timestamptz",
}
KEEP = insert_all("contacts", CONTACT, {}, "")


def asking(**rhythm: Any) -> Programme:
    """A programme whose one schedule has this rhythm, without caps and quiet hours."""
    nothing = {"every": None, "after_first": None, "quiet_hours": None, "reminders": None}
    relationship = shipped().surveys["relationship"].model_copy(update={**nothing, **rhythm})
    surveys = {**shipped().surveys, "relationship": relationship}
    return programme(surveys=surveys, caps=(), quiet_hours=None, consent_required=())


class Scheduled:
    """Customers who are known, a clock that is set, and as many workers as one likes."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.now = NOW
        self.programme = asking(every=Calendar.QUARTER)
        self.told: list[SurveyDecision] = []
        self.kill: Callable[[], bool] = lambda: False

    def desk(self) -> Desk:
        return Desk(self.programme, CHANNELS, self.now)

    async def publish(self, decisions: Sequence[SurveyDecision]) -> None:
        """Everything is written and told; whoever is killed now has committed nothing."""
        self.told += decisions
        if self.kill():
            raise KafkaUnavailable("killed")

    async def move(self, *, most: int = 500, pause: timedelta = DAY) -> int:
        """Move the schedule as a new process would."""
        worker = Schedules(self.engine, self.publish, self.desk, lambda: None, pause, most)
        return await worker.follow(self.programme.schedules["relationship"])

    async def days(self, number: int, **how: Any) -> None:
        """Move it once a day."""
        for _ in range(number):
            self.now += DAY
            await self.move(**how)

    async def settle(self, number: int) -> list[str]:
        """Let so many customers be known."""
        ids = [f"c-{i}" for i in range(number)]
        rows = [(each, f"{each}@example.org", slot_of(each), NOW - 100 * DAY) for each in ids]
        async with self.engine.begin() as connection:
            await connection.execute(KEEP, columns(CONTACT, rows))
        return ids

    async def hear(self, *events: Event) -> None:
        async with self.engine.begin() as connection:
            arrivals = [arrival(event) for event in events]
            await on_batch(arrivals, [], SqlLedger(connection), self.publish, self.desk())

    async def rows(self, query: str) -> list[Any]:
        async with self.engine.connect() as connection:
            return list(await connection.execute(sa.text(query)))

    async def asked(self) -> list[str]:
        """Who has been asked, as often as they were."""
        where = "WHERE trigger = 'relationship'"
        return [row[0] for row in await self.rows(f"SELECT customer_id FROM invitations {where}")]

    async def by_day(self, since: datetime) -> list[int]:
        """How many were decided on in each day up to now."""
        found = await self.rows("SELECT decided_at FROM decisions WHERE reason = 'asked'")
        counts = Counter((at - since - timedelta(seconds=1)) // DAY for (at,) in found)
        return [counts[day] for day in range((self.now - since) // DAY)]
