"""Dispatch on real PostgreSQL: no send after an opt-out was acknowledged."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.domain.suppressions import Ground, Suppression
from services.trigger.worker.dispatch import Dispatch
from shared.senders import HandOver
from tests.support.trigger import (
    NOW,
    Recorder,
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


async def test_a_suppression_cancels_what_is_scheduled(rig: Rig) -> None:
    await rig.book(**postponed())
    await rig.tell()

    await rig.suppressions.add(Suppression("c-1", (), Ground.OPTED_OUT, NOW))

    assert await rig.tell() == [(2, "cancelled", "email")]
    rig.clock.now = later(hours=2)
    assert await rig.worker().once() == 0


async def test_a_suppressed_channel_gives_way_to_the_next(rig: Rig) -> None:
    await rig.book()

    await rig.suppressions.add(Suppression("c-1", ("email",), Ground.OPTED_OUT, NOW))
    await rig.worker().once()

    assert (rig.mail.ids, len(rig.hook.ids)) == ([], 1)
    assert await rig.tell() == [(3, "sent", "webhook")]


async def test_a_send_under_way_is_seen_and_not_repeated_after_the_optout(rig: Rig) -> None:
    await rig.book()
    worker = rig.worker()
    (letter,) = (await worker.store.claim("email", 10, NOW)).letters
    await rig.suppressions.add(Suppression("c-1", (), Ground.OPTED_OUT, NOW))

    assert await rig.suppressions.under_way("c-1")
    rig.mail.faults = [refused(permanent=False)]
    worker.launch([letter])
    await worker.finish()
    assert not await rig.suppressions.under_way("c-1")

    rig.clock.now = later(minutes=1)
    assert await worker.once() == 0
    assert await rig.row() == ("cancelled",)
    assert await rig.reason() == "opted-out"


async def test_after_a_crash_an_opted_out_customer_is_not_sent_the_letter_again(rig: Rig) -> None:
    await rig.book()
    await rig.worker().store.claim("email", 10, NOW)
    await rig.suppressions.add(Suppression("c-1", (), Ground.OPTED_OUT, NOW))

    rig.clock.now = later(seconds=31)
    assert await rig.worker().once() == 0

    assert (await rig.row(), rig.mail.ids) == (("unknown",), [])


async def test_what_failed_for_now_during_the_optout_is_cancelled_at_once(rig: Rig) -> None:
    await rig.book()
    worker = rig.worker()
    (letter,) = (await worker.store.claim("email", 10, NOW)).letters
    await rig.suppressions.add(Suppression("c-1", (), Ground.OPTED_OUT, NOW))
    rig.mail.faults = [refused(permanent=False)]
    worker.launch([letter])
    await worker.finish()

    assert not await rig.suppressions.under_way("c-1")

    assert await rig.row() == ("cancelled",)
    assert await rig.tell() == [(2, "cancelled", "email")]


async def test_a_claim_that_did_not_see_the_optout_is_waited_for(rig: Rig) -> None:
    await rig.book()
    insert = "INSERT INTO suppressions VALUES ('c-1', '*', 'opted-out', NULL, now())"
    async with rig.engine.connect() as claiming:
        await claiming.execute(sa.text("UPDATE invitations SET status = 'sending'"))
        async with rig.engine.begin() as connection:
            await connection.execute(sa.text(insert))
        asking = asyncio.create_task(rig.suppressions.under_way("c-1"))
        await asyncio.sleep(0.05)
        assert not asking.done()
        await claiming.commit()

    assert await asking


async def test_no_send_begins_after_an_optout_was_acknowledged(rig: Rig) -> None:
    """Claims race opt-outs; a send that begins after the acknowledgement is a failure."""
    acknowledged: set[str] = set()
    late: list[str] = []

    class Stamping(Recorder):
        async def send(self, letter: Any, hand_over: HandOver) -> None:
            late.extend({letter.invitation.customer_id} & acknowledged)
            await asyncio.sleep(0.002)
            late.extend({letter.invitation.customer_id} & acknowledged)
            await super().send(letter, hand_over)

    async def opt_out(number: int) -> None:
        await asyncio.sleep(number * 0.001)
        await rig.suppressions.add(Suppression(f"c-{number}", (), Ground.OPTED_OUT, NOW))
        while await rig.suppressions.under_way(f"c-{number}"):
            await asyncio.sleep(0.001)
        acknowledged.add(f"c-{number}")

    async def drain(worker: Dispatch) -> None:
        while await worker.once():
            pass

    rig.couriers["email"] = rig.mail = Stamping()
    for number in range(60):
        await rig.book(number)
    workers = [replace(rig.worker(), concurrency=3) for _ in range(3)]

    await asyncio.gather(*map(drain, workers), *map(opt_out, reversed(range(60))))

    states = [await rig.row(number=number) for number in range(60)]
    assert late == []
    assert set(states) == {("sent",), ("cancelled",)}
    assert len(rig.mail.ids) == states.count(("sent",))
