"""Whether a customer is reminded, and what they are sent then."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.trigger.domain.decisions import decide
from services.trigger.domain.facts import Cancelling, Facts, PastAsk, Said
from services.trigger.domain.invitations import Invitation
from services.trigger.domain.letters import Letter
from services.trigger.domain.reasons import Reason, Verdict
from services.trigger.domain.reminders import Unanswered, decide_reminder, remind_at
from services.trigger.pages.couriers import WebhookCourier
from services.trigger.pages.mail import write_mail
from shared.programme.asking import Cap, Reminders
from shared.programme.chrome import chrome
from shared.senders import HandOver, unasked
from shared.senders.webhook import Delivery
from tests.support.trigger import (
    CHANNELS,
    NOON,
    NOW,
    asking,
    call_ended,
    later,
    mail_desk,
    programme,
    shipped,
)

AGAIN = Reminders(most=2, after=timedelta(hours=2))
CAP = Cap(most=1, per=timedelta(days=7))


def sent(language: str = "de", **changes: Any) -> Invitation:
    event = call_ended(customer={"locale": language})
    (decision,) = decide(event, Facts(channels=CHANNELS), programme(caps=()), NOW)
    assert decision.invitation is not None
    return replace(decision.invitation, **changes)


def reminded(*, answered: bool = False, used: Any = (), letter: Any = (), **known: Any) -> Any:
    """The decision two hours later."""
    facts = Facts(**{"channels": CHANNELS, **known})
    changes = {"caps": (), **asking(reminders=AGAIN), **dict(used)}
    last = Unanswered(sent(**dict(letter)), later(hours=2), answered)
    return decide_reminder(last, facts, programme(**changes), later(hours=2))


def test_it_is_the_same_question_with_an_id_of_its_own() -> None:
    decision, asked = reminded(), sent()

    reminder = decision.invitation
    assert (decision.verdict, decision.reason) == (Verdict.INVITED, Reason.ASKED)
    assert decision.event.id == decision.invitation_id == reminder.id == f"{asked.id}-r1"
    assert (reminder.reminder_of, reminder.reminder) == (asked.id, 1)
    assert (reminder.channels, reminder.send_at) == (("email",), later(hours=2))
    same = {"id": asked.id, "reminder_of": None, "reminder": 0, "send_at": asked.send_at}
    assert replace(reminder, **same, channels=asked.channels) == asked


def test_the_second_is_numbered_after_the_first() -> None:
    first = reminded().invitation

    last = Unanswered(first, later(hours=4), answered=False)
    used = programme(caps=(), **asking(reminders=AGAIN))
    second = decide_reminder(last, Facts(CHANNELS), used, later(hours=4)).invitation

    assert second is not None
    assert (second.id, second.reminder_of) == (f"{sent().id}-r2", sent().id)


def asks(hours: float) -> tuple[PastAsk, ...]:
    return (PastAsk("i-2", "effort", "after-return", "webhook", {}, later(hours=hours)),)


@pytest.mark.parametrize(
    ("reason", "known"),
    [
        (Reason.ANSWERED, {"answered": True, "suppressed": {"email"}}),
        (
            Reason.CANCELLED_BY_EVENT,
            {"cancelling": (Cancelling("support_call.reopened", later(minutes=1)),)},
        ),
        (Reason.EXPIRED, {"letter": {"expires_at": later(hours=2)}}),
        (Reason.NO_CONTACT, {"channels": frozenset({"webhook"})}),
        (Reason.NO_CONSENT, {"consent": {"email": Said(yes=False, at=NOW)}}),
        (
            Reason.NO_CONSENT,
            {"used": {"consent_required": ("email",)}, "letter": {"basis": "no-objection"}},
        ),
        (Reason.OPTED_OUT, {"suppressed": {"email"}}),
        (Reason.TOO_MANY_RECENTLY, {"used": {"caps": (CAP,)}, "asks": asks(-24)}),
    ],
)
def test_why_not(reason: Reason, known: dict[str, Any]) -> None:
    decision = reminded(**known)

    assert (decision.verdict, decision.reason) == (Verdict.SUPPRESSED, reason)
    assert (decision.invitation, decision.invitation_id) == (None, None)


@pytest.mark.parametrize(
    "known",
    [
        {"suppressed": {"webhook"}},
        {"consent": {"email": Said(yes=True, at=NOW), "webhook": Said(yes=False, at=NOW)}},
        {"used": {"consent_required": ("email",)}, "letter": {"basis": "consent"}},
        {"cancelling": (Cancelling("support_call.reopened", later(minutes=-1)),)},
        {"used": {"caps": (CAP,)}, "asks": asks(-24 * 8)},
    ],
)
def test_what_is_about_something_else_stops_nothing(known: dict[str, Any]) -> None:
    assert reminded(**known).reason is Reason.ASKED


def test_it_says_which_it_is_and_which_cap_objects() -> None:
    group = Cap(most=1, per=timedelta(days=7), each=("agent",))
    asked = PastAsk("i-2", "effort", "after-return", "email", {"agent": "a-7"}, NOW)

    first, second = reminded(), reminded(letter={"reminder": 1})
    capped = reminded(used={"caps": (CAP,)}, asks=asks(-24))
    of_group = reminded(used={"caps": (group,)}, groups={("agent", "a-7"): (asked,)})

    assert first.sentence == "The customer is asked at once. Reminder 1 of 2."
    assert second.facts == {"why": "Reminder 2 of 2."}
    assert capped.facts["why"] == (
        "Reminder 1 of 2. The cap for email: at most 1 in 7d for the customer."
    )
    assert of_group.reason is Reason.TOO_MANY_FOR_GROUP
    assert of_group.facts["why"] == (
        "Reminder 1 of 2. The cap for email and agent a-7: at most 1 in 7d for agent."
    )


def test_quiet_hours_move_it() -> None:
    used = asking(reminders=AGAIN, quiet_hours=replace(NOON, end=NOON.end.replace(hour=20)))

    decision = reminded(used=used)

    assert (decision.verdict, decision.reason) == (Verdict.SCHEDULED, Reason.QUIET_HOURS)
    assert decision.invitation.send_at == later(hours=7)
    assert decision.facts["why"] == "That is at 2026-11-21 19:00 UTC. Reminder 1 of 2."


def test_when_the_next_is_due() -> None:
    used = programme(**asking(reminders=AGAIN))

    assert remind_at(sent(), used, NOW) == later(hours=2)
    assert remind_at(sent(reminder=1), used, NOW) == later(hours=2)
    assert remind_at(sent(reminder=2), used, NOW) is None
    assert remind_at(sent(expires_at=later(hours=2)), used, NOW) is None
    assert remind_at(sent(), programme(**asking(reminders=None)), NOW) is None
    assert remind_at(sent(survey="gone"), used, NOW) is None


@pytest.mark.parametrize("language", shipped().languages)
def test_the_mail_says_that_it_reminds(language: str) -> None:
    asked = sent(f"{language}-XX")
    letters = [asked, replace(asked, id=f"{asked.id}-r1", reminder_of=asked.id, reminder=1)]

    first, again = (
        write_mail(Letter(one, UUID(int=1), 0, "ann@example.org"), mail_desk(), NOW)
        for one in letters
    )

    assert again.subject == chrome(language)["mail_reminder"].format(subject=first.subject)
    assert again.subject.endswith(first.subject)
    assert again.subject != first.subject
    assert (again.id, again.text) == (f"{first.id}-r1", first.text)
    assert again.html.replace(again.subject, first.subject) == first.html
    assert again.unsubscribe == first.unsubscribe


class Kept:
    repeatable = True
    capacity = 8

    def __init__(self) -> None:
        self.messages: list[Delivery] = []

    async def send(self, message: Delivery, hand_over: HandOver = unasked) -> None:
        self.messages.append(message)


async def test_a_receiver_tells_a_reminder_from_a_repeat() -> None:
    sender, asked = Kept(), sent()
    courier = WebhookCourier(sender, mail_desk(), lambda: NOW)

    for one in (asked, replace(asked, id=f"{asked.id}-r1", reminder_of=asked.id, reminder=1)):
        await courier.send(Letter(one, UUID(int=1), 0), unasked)

    first, again = (json.loads(message.body)["data"] for message in sender.messages)
    assert [message.id for message in sender.messages] == [asked.id, f"{asked.id}-r1"]
    assert (first.pop("reminder"), again.pop("reminder")) == (0, 1)
    assert first == again
    assert first["invitation_id"] == asked.id
