"""Reminders on real PostgreSQL: the same question again, at most so often."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.pages.links import Links
from services.trigger.store.queries import Queries
from services.trigger.store.retention import Keeping, delete_old
from tests.support.reminders import ASKED, LETTERS, at, decided, remind, reminding, rows
from tests.support.trigger import NOON, NOW, TOKENS, later, programme, refused
from tests.support.trigger_rig import Rig, emptied


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with emptied(database_url) as engine:
        yield engine


@pytest.fixture
def rig(engine: AsyncEngine) -> Rig:
    return Rig(engine)


async def test_who_does_not_answer_is_reminded_once_with_the_same_question(rig: Rig) -> None:
    await rig.book(**reminding())
    await rig.worker().once()
    assert await remind(rig) == 0  # not yet

    await at(rig, later(hours=2))
    await at(rig, later(hours=4))
    await at(rig, later(hours=6))

    first, second = rig.mail.letters
    assert second.id == f"{first.id}-r1"
    assert (second.email, second.invitation.question_id) == (first.email, first.id)
    assert (first.invitation.reminder, second.invitation.reminder) == (0, 1)
    links = Links("http://127.0.0.1:8001", TOKENS)
    assert TOKENS.read_survey(links.survey(second.invitation).rpartition("/")[2]) == (
        TOKENS.read_survey(links.survey(first.invitation).rpartition("/")[2])
    )
    assert decided(rig) == [("reminder", "invited", "asked")]
    assert rig.hook.ids == []


async def test_reminders_go_on_until_there_have_been_enough(rig: Rig) -> None:
    await rig.book(**reminding(most=3))
    await rig.worker().once()

    for hours in range(1, 24):
        await at(rig, later(hours=hours))

    assert await rows(rig, LETTERS) == [(n, "sent") for n in range(4)]
    gaps = [(f"-r{n}", 2 * n) for n in range(1, 4)]
    asked = rig.mail.letters[0].id
    sent = await rows(rig, "SELECT id, invited_at FROM invitations WHERE reminder > 0 ORDER BY id")
    assert sent == [(asked + suffix, later(hours=hours)) for suffix, hours in gaps]


async def test_scoring_never_hears_of_reminders_but_the_invitation_counts_them(rig: Rig) -> None:
    await rig.book(**reminding(most=2))
    await rig.worker().once()
    await at(rig, later(hours=2))
    await at(rig, later(hours=4))

    assert await rig.tell() == [(2, "sent", "email")]
    assert await rig.tell() == []
    ((asked, *_),) = await rows(rig, ASKED)
    queries = Queries(rig.engine)
    listed = await queries.invitations({}, None, None, 10)
    assert [(row["id"], row["reminders"]) for row in listed] == [(asked, 2)]
    again = await queries.invitation(f"{asked}-r2")
    assert again is not None
    assert (again["reminder_of"], again["reminders"]) == (asked, 0)


async def test_a_reminder_waits_until_quiet_hours_are_over(rig: Rig) -> None:
    rig.clock.now = NOW - timedelta(hours=2)
    await rig.book(**reminding(quiet_hours=NOON))
    await rig.worker().once()

    await at(rig, NOW)
    assert decided(rig) == [("reminder", "scheduled", "quiet-hours")]
    assert len(rig.mail.ids) == 1
    await at(rig, later(hours=1))
    assert len(rig.mail.ids) == 2


async def test_a_reminder_goes_by_the_channel_that_worked_and_is_tried_again(rig: Rig) -> None:
    await rig.book(**reminding())
    rig.mail.faults = [refused(permanent=True)]
    await rig.worker().once()
    await rig.worker().once()
    rig.hook.faults = [refused(permanent=False)]

    await at(rig, later(hours=3))
    await at(rig, later(hours=3, seconds=5))

    assert len(rig.mail.ids) == 1
    asked, once, again = rig.hook.ids
    assert once == again == f"{asked}-r1"
    assert await rows(rig, LETTERS) == [(0, "sent"), (1, "sent")]


async def test_what_was_not_sent_is_not_reminded_of(rig: Rig) -> None:
    await rig.book(**reminding())
    rig.mail.faults, rig.hook.faults = [refused(permanent=True)], [refused(permanent=True)]
    await rig.worker().once()
    await rig.worker().once()

    await at(rig, later(hours=3))

    assert await rows(rig, LETTERS) == [(0, "undeliverable")]
    assert decided(rig) == []


async def test_a_programme_that_reminds_no_more_drops_what_is_due(rig: Rig) -> None:
    await rig.book(**reminding())
    await rig.worker().once()
    rig.programme = programme()

    rig.clock.now = later(hours=2)
    assert (await remind(rig), await remind(rig)) == (1, 0)

    assert await rows(rig, LETTERS) == [(0, "sent")]
    assert decided(rig) == []


async def test_many_workers_decide_each_reminder_once(rig: Rig) -> None:
    for number in range(30):
        await rig.book(number, **reminding())
    await rig.worker().once()
    rig.clock.now = later(hours=2)

    counts = await asyncio.gather(*(remind(rig) for _ in range(4)))
    await asyncio.gather(*(rig.worker().once() for _ in range(4)))

    assert sum(counts) == len(decided(rig)) == 30
    assert len(set(rig.mail.ids)) == len(rig.mail.ids) == 60


async def test_a_reminder_that_is_due_keeps_the_address_and_goes_with_the_rest(rig: Rig) -> None:
    await rig.book(**reminding(hours=20))
    await rig.worker().once()
    await rig.tell()
    keeping = Keeping(timedelta(days=40), timedelta(hours=1))

    await delete_old(rig.engine, keeping, later(hours=19))
    await at(rig, later(hours=20))
    assert [letter.email for letter in rig.mail.letters] == ["ann@example.org"] * 2

    await rig.tell()
    await delete_old(rig.engine, keeping, later(hours=22))
    assert await rows(rig, LETTERS) == []
