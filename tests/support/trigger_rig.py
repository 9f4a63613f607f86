"""One database, couriers that record, a producer that keeps, and a clock that is set."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.handlers import Desk, on_batch
from services.trigger.store.dispatch import DispatchStore
from services.trigger.store.ledger import SqlLedger
from services.trigger.store.outbox import Outbox
from services.trigger.store.suppressions import SuppressionStore
from services.trigger.worker.dispatch import Dispatch
from services.trigger.worker.telling import Telling
from shared.db import open_engine
from shared.events import SurveyDecision, SurveyInvitation, Topic
from shared.stream import KafkaUnavailable, Outgoing
from shared.wire import decode_record, decoder
from tests.support.trigger import (
    CHANNELS,
    NOW,
    Recorder,
    arrival,
    call_ended,
    programme,
)


class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


class Topics:
    """A producer that keeps what it is given, or is away."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []
        self.away = False

    async def send(self, records: Sequence[Outgoing]) -> None:
        if self.away:
            raise KafkaUnavailable("away")
        self.records += records

    def states(self) -> list[tuple[int, str, str]]:
        read = decoder(SurveyInvitation)
        told = [r for r in self.records if r.topic == Topic.SURVEY_INVITATIONS]
        found = [decode_record(read, record.value) for record in told]
        return [(state.revision, state.status, state.channel) for state in found]


class Rig:
    """One database, couriers that record, and a clock that is set."""

    def __init__(self, engine: AsyncEngine, *, smtp: bool = False) -> None:
        self.engine = engine
        self.clock = Clock()
        self.topics = Topics()
        self.mail = Recorder(repeatable=not smtp)
        self.hook = Recorder()
        self.couriers = {"email": self.mail, "webhook": self.hook}
        self.suppressions = SuppressionStore(engine)
        self.programme = programme()

    def worker(self) -> Dispatch:
        """A worker as a new process would have it."""
        usable = {name for name, courier in self.couriers.items() if courier.repeatable}
        store = DispatchStore(self.engine, repeatable=usable)
        return Dispatch(store, self.couriers, self.clock, self.programme)

    async def book(self, number: int = 1, **changes: Any) -> None:
        async def publish(decisions: Sequence[SurveyDecision]) -> None: ...

        customer = {"id": f"c-{number}"}
        self.programme = programme(**changes)
        desk = Desk(self.programme, CHANNELS, self.clock())
        async with self.engine.begin() as connection:
            event = call_ended(number, at=self.clock(), customer=customer)
            await on_batch([arrival(event)], [], SqlLedger(connection), publish, desk)

    async def tell(self) -> list[tuple[int, str, str]]:
        before = len(self.topics.states())
        outbox = Outbox(self.engine)
        await Telling(outbox, self.topics, self.clock, asyncio.Event()).once()
        return self.topics.states()[before:]

    async def row(self, columns: str = "status", number: int = 1) -> Any:
        query = f"SELECT {columns} FROM invitations WHERE customer_id = 'c-{number}'"
        async with self.engine.connect() as connection:
            return tuple((await connection.execute(sa.text(query))).one())

    async def reason(self) -> str:
        async with self.engine.connect() as connection:
            query = sa.text("SELECT reason FROM decisions WHERE invitation_id IS NOT NULL")
            return str((await connection.execute(query)).scalar_one())


TABLES = (
    "events, occasions, customers, contacts, consents, decisions, invitations, suppressions,"
    " waiting, cancelling, groups, group_asks, answers, answer_counts, schedules, firsts"
)


@asynccontextmanager
async def emptied(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on trigger's schema, its tables empty."""
    async with open_engine(database_url, schema="trigger") as engine:
        async with engine.begin() as connection:
            await connection.execute(sa.text(f"TRUNCATE {TABLES}"))
        yield engine
