"""Nothing is sent in quiet hours, on real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.trigger import NOON, NOW, asking, later, postponed, refused
from tests.support.trigger_rig import Rig, emptied

BEFORE = NOW - timedelta(hours=2)  # 11:00 in Berlin
OVER = later(hours=1)  # 14:00


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with emptied(database_url) as engine:
        yield engine


@pytest.fixture
def rig(engine: AsyncEngine) -> Rig:
    return Rig(engine)


async def before(rig: Rig, number: int = 1, *, at: datetime = BEFORE) -> None:
    """Decided while nobody minded; the clock shows noon afterwards."""
    rig.clock.now = at
    await rig.book(number, **postponed())
    rig.clock.now = NOW


async def test_what_is_decided_in_quiet_hours_is_sent_when_they_are_over(rig: Rig) -> None:
    await rig.book(**postponed())

    assert await rig.row("status, send_at") == ("scheduled", OVER)
    assert await rig.reason() == "quiet-hours"
    rig.clock.now = OVER - timedelta(seconds=1)
    assert await rig.worker().once() == 0
    rig.clock.now = OVER
    assert await rig.worker().once() == 1
    assert await rig.row() == ("sent",)


async def test_a_backlog_is_put_off_when_it_meets_quiet_hours_and_no_attempt_counts(
    rig: Rig,
) -> None:
    for number in range(20):
        await before(rig, number)

    assert await rig.worker().once() == 20

    assert (rig.mail.ids, rig.hook.ids) == ([], [])
    for number in range(20):
        assert await rig.row("status, send_at, attempts", number) == ("scheduled", OVER, 0)
    assert await rig.worker().once() == 0
    rig.clock.now = OVER
    await rig.worker().once()
    assert len(set(rig.mail.ids)) == len(rig.mail.ids) == 20


async def test_no_retry_and_no_further_channel_in_quiet_hours(rig: Rig) -> None:
    await before(rig)
    rig.clock.now = NOW - timedelta(hours=1, seconds=2)  # the first retry is 5 s later
    rig.mail.faults = [refused(permanent=False), refused(permanent=True)]

    await rig.worker().once()
    assert await rig.row("status, attempts, send_at") == ("scheduled", 1, OVER)
    rig.clock.now = OVER
    await rig.worker().once()
    assert await rig.row("status, channels, send_at") == ("scheduled", ["webhook"], OVER)
    assert rig.hook.ids == []


async def test_the_next_channel_waits_and_expires_where_it_would_come_too_late(rig: Rig) -> None:
    rig.clock.now = BEFORE  # expires when the quiet hours are over
    await rig.book(**asking(quiet_hours=NOON, expires=timedelta(hours=3)))
    rig.clock.now = NOW - timedelta(hours=1, seconds=1)

    class Slow(type(rig.mail)):  # type: ignore[misc]
        async def send(self, *arguments: object) -> None:
            rig.clock.now = NOW
            raise refused(permanent=True)

    rig.couriers["email"] = Slow()
    await rig.worker().once()

    assert await rig.row() == ("expired",)
    assert await rig.reason() == "expired"
    assert await rig.tell() == [(2, "expired", "webhook")]
    assert rig.hook.ids == []


async def test_a_letter_that_waits_for_its_turn_into_quiet_hours_is_not_handed_over(
    engine: AsyncEngine,
) -> None:
    rig = Rig(engine, smtp=True)
    await before(rig)
    rig.clock.now = NOW - timedelta(hours=1, seconds=1)
    worker = rig.worker()

    class Queued(type(rig.mail)):  # type: ignore[misc]
        async def send(self, letter: object, hand_over: object) -> None:
            rig.clock.now = NOW
            await super().send(letter, hand_over)

    rig.couriers["email"] = queued = Queued(repeatable=False)
    await worker.once()

    assert queued.letters == []
    assert await rig.row("status, attempts, send_at") == ("scheduled", 0, OVER)
    assert worker.fault is None


async def test_a_letter_of_a_crashed_sender_is_not_sent_again_in_quiet_hours(rig: Rig) -> None:
    await before(rig)
    claimed = await rig.worker().store.claim("email", 10, NOW - timedelta(hours=1))
    assert len(claimed.letters) == 1

    await rig.worker().once()

    assert rig.mail.ids == []
    assert await rig.row("status, send_at") == ("scheduled", OVER)


async def test_the_hours_are_those_of_the_recipient(rig: Rig) -> None:
    await before(rig)
    async with rig.engine.begin() as connection:
        moved = sa.text("UPDATE invitations SET zones = '{Asia/Kolkata}'")
        await connection.execute(moved)

    await rig.worker().once()  # 17:30 there

    assert await rig.row() == ("sent",)


async def test_an_outage_that_lasts_past_the_expiry_sends_nothing(rig: Rig) -> None:
    await before(rig, at=NOW - timedelta(hours=23, minutes=30))  # expires at 12:30 UTC

    await rig.worker().once()

    assert await rig.row() == ("expired",)
    assert await rig.reason() == "expired"
    assert (rig.mail.ids, rig.hook.ids) == ([], [])


@pytest.mark.thorough
async def test_many_workers_over_the_edge_of_quiet_hours_send_each_once(rig: Rig) -> None:
    for number in range(30):
        await before(rig, number)
    workers = [rig.worker() for _ in range(3)]
    await asyncio.gather(*(worker.once() for worker in workers))
    assert rig.mail.ids == []

    rig.clock.now = OVER
    for _ in range(2):
        await asyncio.gather(*(worker.once() for worker in workers))

    assert len(set(rig.mail.ids)) == len(rig.mail.ids) == 30
