"""Dispatch on real PostgreSQL: a crash at each step, and sends that end in doubt."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.domain.suppressions import Ground, Suppression
from shared.senders import SendInDoubt, unasked
from shared.stream import KafkaUnavailable
from tests.support.trigger import (
    NOW,
    later,
    programme,
)
from tests.support.trigger_rig import Rig, emptied


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with emptied(database_url) as engine:
        yield engine


@pytest.fixture
def rig(engine: AsyncEngine) -> Rig:
    return Rig(engine)


@pytest.fixture
def smtp(engine: AsyncEngine) -> Rig:
    return Rig(engine, smtp=True)


async def hand_over(rig: Rig) -> None:
    """A sender claims, says that it hands over, and is heard of no more."""
    store = rig.worker().store
    (letter,) = (await store.claim("email", 10, NOW)).letters
    assert await store.hand_over([letter]) == {letter.id}


async def test_a_crash_before_the_claim_is_committed_leaves_it_to_another(rig: Rig) -> None:
    await rig.book()
    async with rig.engine.connect() as dying:
        claim = "UPDATE invitations SET status = 'sending' WHERE status = 'scheduled'"
        await dying.execute(sa.text(claim))
        assert await rig.worker().once() == 0  # locked: skipped, not waited for
        await dying.rollback()

    assert await rig.worker().once() == 1


@pytest.mark.parametrize("sent", [False, True], ids=["claimed", "sent"])
async def test_after_a_crash_a_repeatable_letter_goes_out_under_the_same_id(
    rig: Rig, *, sent: bool
) -> None:
    await rig.book()
    crashed = rig.worker()
    (letter,) = (await crashed.store.claim("email", 10, NOW)).letters
    if sent:
        await rig.mail.send(letter, unasked)

    rig.clock.now = later(seconds=29)
    assert await rig.worker().once() == 0
    rig.clock.now = later(seconds=31)
    assert await rig.worker().once() == 1

    assert set(rig.mail.ids) == {letter.id}
    assert await rig.row() == ("sent",)


async def test_after_a_crash_nothing_is_sent_again_once_the_survey_has_expired(rig: Rig) -> None:
    await rig.book()
    await rig.worker().store.claim("email", 10, NOW)

    rig.clock.now = later(hours=25)
    assert await rig.worker().once() == 0

    assert (await rig.row(), rig.mail.ids) == (("unknown",), [])


async def test_after_a_crash_a_mail_that_was_handed_over_is_not_repeated_but_unknown(
    smtp: Rig,
) -> None:
    await smtp.book()
    await hand_over(smtp)

    smtp.clock.now = later(seconds=31)
    assert await smtp.worker().once() == 0

    assert smtp.mail.ids == []
    assert await smtp.row("status, invited_at") == ("unknown", NOW)
    assert await smtp.tell() == [(2, "unknown", "email")]


async def test_after_a_crash_a_mail_that_was_not_handed_over_is_sent_by_another(smtp: Rig) -> None:
    await smtp.book()
    (letter,) = (await smtp.worker().store.claim("email", 10, NOW)).letters

    smtp.clock.now = later(seconds=31)
    heir = smtp.worker()
    await heir.once()
    await heir.once()

    assert smtp.mail.ids == [letter.id]
    assert await smtp.row("status, revision") == ("sent", 2)


async def test_a_mail_that_another_has_by_now_is_not_handed_over(smtp: Rig) -> None:
    await smtp.book()
    slow = smtp.worker()
    letters = (await slow.store.claim("email", 10, NOW)).letters
    smtp.clock.now = later(seconds=31)
    heir = smtp.worker()
    await heir.once()
    await heir.once()

    slow.launch(letters)
    await slow.finish()

    assert len(smtp.mail.ids) == 1
    assert await smtp.row() == ("sent",)


async def test_what_is_not_handed_over_heeds_an_optout(smtp: Rig) -> None:
    await smtp.book()
    await smtp.worker().store.claim("email", 10, NOW)
    await smtp.suppressions.add(Suppression("c-1", (), Ground.OPTED_OUT, NOW))

    smtp.clock.now = later(seconds=31)
    heir = smtp.worker()
    await heir.once()
    await heir.once()

    assert smtp.mail.ids == []
    assert await smtp.row() == ("cancelled",)


async def test_the_programme_may_have_doubtful_mails_sent_again(smtp: Rig) -> None:
    base = programme()
    eager = base.surveys["post-call"].model_copy(update={"on_doubt": "resend"})
    await smtp.book(surveys={**base.surveys, "post-call": eager})
    await hand_over(smtp)

    smtp.clock.now = later(seconds=31)

    assert await smtp.worker().once() == 1
    assert await smtp.row() == ("sent",)


async def test_a_sender_that_wakes_up_late_still_says_what_it_knows(smtp: Rig) -> None:
    await smtp.book()
    slow, answer = smtp.worker(), asyncio.Event()
    smtp.mail.answer = answer
    slow.launch((await slow.store.claim("email", 10, NOW)).letters)
    await smtp.mail.until_handed_over()
    smtp.clock.now = later(seconds=31)
    await smtp.worker().once()
    assert await smtp.row() == ("unknown",)

    answer.set()
    await slow.finish()

    assert await smtp.row("status, revision") == ("sent", 3)


async def test_a_process_that_stood_still_after_its_claim_sends_nothing(smtp: Rig) -> None:
    await smtp.book()
    slow = smtp.worker()
    letters = (await slow.store.claim("email", 10, NOW)).letters
    slow.launch(letters, age_s=31.0)
    await slow.finish()

    assert smtp.mail.ids == []
    assert await smtp.row("status, attempts") == ("scheduled", 1)


async def test_a_crash_after_settling_has_still_to_be_told(rig: Rig) -> None:
    await rig.book()
    await rig.worker().once()
    rig.topics.away = True
    with pytest.raises(KafkaUnavailable):
        await rig.tell()
    rig.topics.away = False

    assert await rig.tell() == [(2, "sent", "email")]


async def test_a_connection_that_ends_in_doubt_is_not_repeated(smtp: Rig) -> None:
    await smtp.book()
    smtp.mail.faults = [SendInDoubt("gone")]

    await smtp.worker().once()

    assert await smtp.row("status, detail") == ("unknown", "gone")
