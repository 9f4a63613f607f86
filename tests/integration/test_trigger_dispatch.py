"""Dispatch on real PostgreSQL: sent once, told once, channels in turn."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.events import Topic
from tests.support.trigger import (
    NOW,
    later,
    postponed,
    refused,
)
from tests.support.trigger_rig import Rig, emptied


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with emptied(database_url) as engine:
        yield engine


@pytest.fixture
def rig(engine: AsyncEngine) -> Rig:
    return Rig(engine)


async def test_what_is_due_is_sent_once_and_told(rig: Rig) -> None:
    await rig.book()

    assert await rig.worker().once() == 1
    assert await rig.worker().once() == 0

    (letter,) = rig.mail.letters
    assert (letter.email, letter.invitation.segments["queue"]) == ("ann@example.org", "billing")
    assert await rig.row("status, attempts, invited_at") == ("sent", 1, NOW)
    assert await rig.tell() == [(2, "sent", "email")]
    assert await rig.tell() == []


async def test_what_is_scheduled_is_told_and_waits_for_its_time(rig: Rig) -> None:
    await rig.book(**postponed())

    assert await rig.tell() == [(1, "scheduled", "email")]
    assert await rig.worker().once() == 0
    rig.clock.now = later(hours=1)
    assert await rig.worker().once() == 1
    assert await rig.tell() == [(2, "sent", "email")]


async def test_many_workers_share_and_nothing_is_sent_twice(rig: Rig) -> None:
    for number in range(60):
        await rig.book(number)
    workers = [rig.worker() for _ in range(4)]

    for _ in range(2):
        await asyncio.gather(*(worker.once() for worker in workers))

    assert len(rig.mail.ids) == len(set(rig.mail.ids)) == 60


async def test_a_fault_for_now_is_tried_again_by_the_same_channel(rig: Rig) -> None:
    await rig.book()
    rig.mail.faults = [refused(permanent=False)]
    worker = rig.worker()

    await worker.once()
    assert await rig.row("status, attempts, revision") == ("scheduled", 1, 1)
    assert worker.fault == "email: refused"
    rig.clock.now = later(seconds=6)
    await worker.once()

    assert len(set(rig.mail.ids)) == 1
    assert await rig.row() == ("sent",)
    assert worker.fault is None


async def test_a_fault_for_good_takes_the_next_channel(rig: Rig) -> None:
    await rig.book()
    rig.mail.faults = [refused(permanent=True)]
    worker = rig.worker()

    await worker.once()
    assert await rig.row("status, channels, revision") == ("scheduled", ["webhook"], 2)
    await worker.once()

    assert rig.mail.ids == rig.hook.ids
    assert await rig.tell() == [(3, "sent", "webhook")]
    assert await rig.reason() == "asked"


async def test_when_every_channel_has_failed_the_ledger_says_so(rig: Rig) -> None:
    await rig.book()
    rig.mail.faults, rig.hook.faults = [refused(permanent=True)], [refused(permanent=True)]
    worker = rig.worker()

    await worker.once()
    await worker.once()

    assert await rig.row() == ("undeliverable",)
    assert await rig.reason() == "channel-failed"
    assert await rig.tell() == [(3, "undeliverable", "webhook")]
    decisions = [r for r in rig.topics.records if r.topic == Topic.SURVEY_DECISIONS]
    assert b'"channel-failed"' in (decisions[0].value or b"")


async def test_what_expired_while_it_waited_is_not_sent(rig: Rig) -> None:
    await rig.book()
    rig.clock.now = later(hours=25)

    assert await rig.worker().once() == 0

    assert await rig.row() == ("expired",)
    assert await rig.reason() == "expired"
    assert await rig.tell() == [(2, "expired", "email")]


async def test_the_running_worker_is_woken_and_drains(rig: Rig) -> None:
    worker, stop = rig.worker(), asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    await asyncio.sleep(0.05)
    await rig.book()

    worker.due.set()
    async with asyncio.timeout(5):
        while await rig.row() != ("sent",):
            await asyncio.sleep(0.005)
    stop.set()
    await running

    assert len(rig.mail.ids) == 1


async def test_no_more_is_claimed_than_the_channel_carries_and_no_other_waits_for_it(
    rig: Rig,
) -> None:
    rig.mail.capacity, rig.mail.answer = 2, asyncio.Event()
    for number in range(6):
        await rig.book(number)
    for number in range(6, 9):
        await rig.book(number, trigger={"channels": ("webhook",)})
    worker, stop = rig.worker(), asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    async with asyncio.timeout(5):
        while [await rig.row(number=number) for number in range(6, 9)] != [("sent",)] * 3:
            await asyncio.sleep(0.01)

    states = [await rig.row(number=number) for number in range(6)]
    assert (states.count(("sending",)), states.count(("scheduled",))) == (2, 4)
    rig.mail.answer.set()
    async with asyncio.timeout(5):
        while len(rig.mail.ids) < 6:
            await asyncio.sleep(0.01)
    stop.set()
    await running
    assert sorted(set(rig.mail.ids)) == sorted(rig.mail.ids)


async def test_without_a_sender_for_its_channel_a_letter_takes_the_next(rig: Rig) -> None:
    await rig.book()
    del rig.couriers["email"]
    worker = rig.worker()

    await worker.once()
    await worker.once()

    assert len(rig.hook.ids) == 1
    assert await rig.row("status, channels") == ("sent", ["webhook"])
