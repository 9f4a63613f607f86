"""An event that cancels and names nobody, at the moment at which its subject is asked about."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
import sqlalchemy as sa

from services.trigger.handlers import Desk, on_batch
from services.trigger.store.ledger import SqlLedger
from shared.events import Event, SurveyDecision
from tests.support.trigger import CHANNELS, NOW, arrival, call_ended, postponed, programme
from tests.support.trigger_rig import Rig, emptied


@pytest.fixture
async def rig(database_url: str) -> AsyncIterator[Rig]:
    async with emptied(database_url) as engine:
        yield Rig(engine)


async def test_it_waits_for_who_is_deciding_and_then_cancels(rig: Rig) -> None:
    desk = Desk(programme(**postponed()), CHANNELS, NOW)
    reopened = Event(
        id="evt-2",
        source="/calls",
        type="support_call.reopened",
        time=NOW,
        subject="call-1",
        data={},
    )
    asked, done = asyncio.Event(), asyncio.Event()

    async def publish(decisions: Sequence[SurveyDecision]) -> None: ...

    async def ask() -> None:
        async with rig.engine.begin() as connection:
            await on_batch([arrival(call_ended(1))], [], SqlLedger(connection), publish, desk)
            asked.set()
            await until_somebody_waits(rig)

    async def cancel() -> None:
        await asked.wait()
        async with rig.engine.begin() as connection:
            await on_batch([arrival(reopened)], [], SqlLedger(connection), publish, desk)
        done.set()

    async with asyncio.timeout(10):
        await asyncio.gather(ask(), cancel())

    assert done.is_set()
    assert await rig.row() == ("cancelled",)
    assert await rig.reason() == "cancelled-by-event"


async def until_somebody_waits(rig: Rig) -> None:
    waits = sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    while True:
        async with rig.engine.connect() as connection:
            if await connection.scalar(waits):
                return
        await asyncio.sleep(0.02)
