"""Who is not reminded, on real PostgreSQL: whoever has answered, said no, or was asked enough."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.domain.suppressions import Ground, Suppression
from services.trigger.handlers import Booking, Desk
from services.trigger.store.ledger import SqlLedger
from shared.programme.asking import Cap, QuietHours
from tests.support.reminders import LETTERS, answered, at, decided, remind, reminding, rows
from tests.support.trigger import CHANNELS, NOON, NOW, later
from tests.support.trigger_rig import Rig, emptied


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with emptied(database_url) as engine:
        yield engine


@pytest.fixture
def rig(engine: AsyncEngine) -> Rig:
    return Rig(engine)


async def test_no_reminder_after_an_answer(rig: Rig) -> None:
    await rig.book(**reminding(most=3))
    await rig.worker().once()
    await answered(rig)

    await at(rig, later(hours=2))
    await at(rig, later(hours=4))

    assert len(rig.mail.ids) == 1
    assert decided(rig) == [("reminder", "suppressed", "answered")]


async def test_an_answer_between_the_decision_and_the_claim_is_seen(rig: Rig) -> None:
    await rig.book(**reminding())
    await rig.worker().once()
    rig.clock.now = later(hours=2)
    await remind(rig)
    await answered(rig)

    await rig.worker().once()
    await rig.tell()

    assert len(rig.mail.ids) == 1
    assert await rows(rig, LETTERS) == [(0, "sent"), (1, "cancelled")]
    assert decided(rig) == [
        ("reminder", "invited", "asked"),
        ("reminder", "suppressed", "answered"),
    ]
    assert len(rig.topics.states()) == 1


async def test_an_answer_does_not_stop_the_invitation_itself(rig: Rig) -> None:
    """An answer cannot come before the question, but what a replay brings must not matter."""
    await rig.book(**reminding())
    await answered(rig)

    await rig.worker().once()

    assert await rig.row() == ("sent",)


@pytest.mark.parametrize("by", ["opt-out", "consent"])
async def test_no_reminder_to_who_said_no(rig: Rig, by: str) -> None:
    await rig.book(**reminding())
    await rig.worker().once()
    if by == "opt-out":
        await rig.suppressions.add(Suppression("c-1", ("email",), Ground.OPTED_OUT, NOW))
    else:
        await rows(rig, "UPDATE consents SET said = false WHERE channel = 'email'")

    await at(rig, later(hours=2))

    assert len(rig.mail.ids) == 1
    reason = {"opt-out": "opted-out", "consent": "no-consent"}[by]
    assert decided(rig) == [("reminder", "suppressed", reason)]


async def test_a_reminder_that_is_scheduled_is_cancelled_by_an_optout(rig: Rig) -> None:
    await rig.book(**reminding())
    await rig.worker().once()
    rig.clock.now = later(hours=2)
    await remind(rig)

    await rig.suppressions.add(Suppression("c-1", (), Ground.OPTED_OUT, NOW))
    await rig.worker().once()

    assert await rows(rig, LETTERS) == [(0, "sent"), (1, "cancelled")]
    assert len(rig.mail.ids) == 1


async def test_reminders_count_against_the_caps(rig: Rig) -> None:
    await rig.book(**reminding(most=3) | {"caps": (Cap(most=2, per=timedelta(days=30)),)})
    await rig.worker().once()
    await at(rig, later(hours=2))
    await at(rig, later(hours=4))

    assert await rows(rig, LETTERS) == [(0, "sent"), (1, "sent")]
    assert decided(rig) == [
        ("reminder", "invited", "asked"),
        ("reminder", "suppressed", "too-many-recently"),
    ]


async def test_reminders_count_for_their_group(rig: Rig) -> None:
    caps = (Cap(most=3, per=timedelta(days=1), each=("agent",)),)
    for number in (1, 2):
        await rig.book(number, **reminding() | {"caps": caps})
    await rig.worker().once()

    await at(rig, later(hours=2))

    assert [reason for _, _, reason in decided(rig)] == ["asked", "too-many-for-group"]


async def test_what_is_decided_at_the_same_moment_counts_too(rig: Rig) -> None:
    changes = reminding() | {"caps": (Cap(most=2, per=timedelta(days=30)),)}
    await rig.book(**changes)
    await rig.worker().once()
    asked = rig.mail.letters[0].invitation
    rig.clock.now = later(hours=2)

    async with rig.engine.begin() as connection:
        ledger = SqlLedger(connection)
        await ledger.lock(["c-1"], rig.clock())
        deciding = asyncio.create_task(remind(rig))
        await asyncio.sleep(0.1)
        other = replace(asked, id="i-other", send_at=rig.clock())
        await ledger.book([Booking(other, None)], Desk(rig.programme, CHANNELS, rig.clock()))
    await deciding

    assert [reason for _, _, reason in decided(rig)] == ["too-many-recently"]


async def test_a_reminder_that_would_come_too_late_is_none(rig: Rig) -> None:
    nights = QuietHours(NOON.begin, NOON.begin.replace(hour=11))
    rig.clock.now = NOW - timedelta(hours=2)  # the one open hour of the day
    await rig.book(**reminding(quiet_hours=nights, expires=timedelta(hours=23)))
    await rig.worker().once()
    assert await rig.row() == ("sent",)

    await at(rig, NOW)
    assert decided(rig) == [("reminder", "suppressed", "expired")]

    await rig.book(2, **reminding(hours=24))
    await rig.worker().once()
    assert await rig.row("status, remind_at", 2) == ("sent", None)


async def test_a_refund_makes_a_reminder_pointless(rig: Rig) -> None:
    await rig.book(**reminding())
    await rig.worker().once()
    event = "SELECT subject_id, '', 'support_call.reopened', event_time FROM invitations"
    await rows(rig, f"INSERT INTO cancelling {event}")

    await at(rig, later(hours=2))

    assert decided(rig) == [("reminder", "suppressed", "cancelled-by-event")]


async def test_a_reminder_waits_while_it_is_not_known_who_has_answered(rig: Rig) -> None:
    await rig.book(**reminding())
    worker = rig.worker()
    worker.reminds = lambda: False
    await worker.once()
    rig.clock.now = later(hours=2)
    await remind(rig)
    await worker.once()
    assert [letter.invitation.reminder for letter in rig.mail.letters] == [0]

    worker.reminds = lambda: True
    await worker.once()

    assert [letter.invitation.reminder for letter in rig.mail.letters] == [0, 1]
