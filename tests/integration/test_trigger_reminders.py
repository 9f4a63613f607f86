"""Reminders on real PostgreSQL: at most so many, never after an answer, under the same rules."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.consumer import build_publish
from services.trigger.domain.suppressions import Ground, Suppression
from services.trigger.handlers import Booking, Desk
from services.trigger.pages.links import Links
from services.trigger.store.ledger import SqlLedger
from services.trigger.store.queries import Queries
from services.trigger.store.retention import Keeping, delete_old
from services.trigger.worker.reminders import Reminding
from shared.events import SurveyDecision, Topic
from shared.programme.asking import Cap, QuietHours, Reminders
from shared.wire import decode_record, decoder
from tests.support.trigger import CHANNELS, NOON, NOW, TOKENS, asking, later, programme, refused
from tests.support.trigger_rig import Rig, emptied

ASKED = "SELECT * FROM invitations WHERE reminder_of IS NULL AND customer_id = 'c-1'"
LETTERS = (
    "SELECT reminder, status FROM invitations WHERE customer_id = 'c-1' ORDER BY created_at, id"
)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with emptied(database_url) as engine:
        yield engine


@pytest.fixture
def rig(engine: AsyncEngine) -> Rig:
    return Rig(engine)


def reminding(most: int = 1, hours: float = 2, **survey: Any) -> dict[str, Any]:
    reminders = Reminders(most=most, after=timedelta(hours=hours))
    return {"caps": (), **asking(reminders=reminders, **survey)}


async def remind(rig: Rig) -> int:
    worker = Reminding(
        rig.engine,
        build_publish(rig.topics),
        lambda: Desk(rig.programme, CHANNELS, rig.clock()),
        lambda: None,
    )
    return await worker.once()


async def at(rig: Rig, moment: datetime) -> None:
    """Time passes: what is due is decided, and sent."""
    rig.clock.now = moment
    await remind(rig)
    await rig.worker().once()


async def rows(rig: Rig, query: str, **values: Any) -> list[Any]:
    async with rig.engine.begin() as connection:
        found = await connection.execute(sa.text(query), values)
        return [tuple(row) for row in found] if found.returns_rows else []


async def answered(rig: Rig) -> None:
    values = "id, '1', id, survey, 'promoter', 5, '{}', created_at"
    await rows(rig, f"INSERT INTO answers SELECT {values} FROM ({ASKED}) AS asked")


def decided(rig: Rig) -> list[tuple[str, str, str]]:
    read = decoder(SurveyDecision)
    told = [r for r in rig.topics.records if r.topic == Topic.SURVEY_DECISIONS]
    found = [decode_record(read, record.value) for record in told]
    return [(d.event_type, d.decision, d.reason) for d in found if d.source == "earshot"]


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


async def test_a_reminder_waits_until_quiet_hours_are_over(rig: Rig) -> None:
    rig.clock.now = NOW - timedelta(hours=2)
    await rig.book(**reminding(quiet_hours=NOON))
    await rig.worker().once()

    await at(rig, NOW)
    assert decided(rig) == [("reminder", "scheduled", "quiet-hours")]
    assert len(rig.mail.ids) == 1
    await at(rig, later(hours=1))
    assert len(rig.mail.ids) == 2


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
