"""What a customer is sent: in their language, without a way in for whatever the event brings."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

import pytest

from services.trigger.domain.decisions import decide
from services.trigger.domain.facts import Facts
from services.trigger.domain.letters import Letter
from services.trigger.pages.couriers import MailCourier, WebhookCourier
from services.trigger.pages.dates import write_moment, zone_or
from services.trigger.pages.mail import write_mail
from shared.programme.models import Mail as MailTexts
from shared.programme.texts import Texts
from shared.senders import HandOver, SendFailed, unasked
from shared.senders.email import build_message
from tests.support.trigger import (
    CHANNELS,
    NOW,
    TOKENS,
    call_ended,
    mail_desk,
    programme,
    shipped,
)

LINK = re.compile(r"http://127\.0\.0\.1:8001/(s|u)/([\w.-]+)")


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: dict[str, str] = {}
        self.tags: list[str] = []
        self.language: str | None = None
        self._open: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        if tag == "html":
            self.language = found["lang"]
        if tag == "a":
            self._open = found["href"]

    def handle_data(self, data: str) -> None:
        if self._open is not None:
            self.links[data.strip()] = self._open
            self._open = None


def letter(event: Any = None, *, used: Any = None, **contact: Any) -> Letter:
    found = event or call_ended()
    (decision,) = decide(found, Facts(channels=CHANNELS), used or programme(), NOW)
    assert decision.invitation is not None
    contacts = {"email": "ann@example.org", "timezone": "Europe/Berlin", **contact}
    return Letter(decision.invitation, UUID(int=1), 0, **contacts)


def read(html: str) -> Page:
    page = Page()
    page.feed(html)
    return page


@pytest.mark.parametrize("language", shipped().languages)
def test_the_mail_speaks_the_customers_language(language: str) -> None:
    event = call_ended(customer={"locale": f"{language}-XX"})

    mail = write_mail(letter(event), mail_desk(), NOW)

    question = shipped().surveys["post-call"].question.by_language[language]
    page = read(mail.html)
    assert page.language == mail.language == language
    assert question in mail.text
    assert shipped().brand in mail.html
    assert "{" not in mail.text + mail.subject
    assert build_message(mail, eight_bit=True).count(b"base64") == 0


def test_each_number_leads_to_the_page_with_that_score() -> None:
    page = read(write_mail(letter(), mail_desk(), NOW).html)

    link = next(url for text, url in page.links.items() if text.startswith("http"))
    scores = {text: url for text, url in page.links.items() if text.isdigit()}
    assert scores == {str(score): f"{link}?score={score}" for score in range(1, 6)}
    kind, token = LINK.fullmatch(link).groups()  # type: ignore[union-attr]
    assert kind == "s"
    found = TOKENS.read_survey(token)
    assert (found.survey, found.language) == ("post-call", "de")
    assert found.expires_at == letter().invitation.expires_at


def test_the_way_out_is_in_both_parts_and_in_the_header() -> None:
    mail = write_mail(letter(), mail_desk(), NOW)

    kind, token = LINK.fullmatch(mail.unsubscribe).groups()  # type: ignore[union-attr]
    assert kind == "u"
    assert TOKENS.read_unsubscribe(token).invitation_id == mail.id
    assert mail.unsubscribe in mail.text
    assert mail.unsubscribe in read(mail.html).links.values()


@pytest.mark.parametrize(
    ("customer", "wall"),
    [
        ({"timezone": "Asia/Seoul"}, "22.11.2026, 21:00 Uhr"),
        ({"country": "KR"}, "22.11.2026, 21:00 Uhr"),
        ({"country": "US"}, "22.11.2026, 13:00 Uhr"),  # several zones: the programme's
        ({}, "22.11.2026, 13:00 Uhr"),
    ],
)
def test_until_when_is_told_by_the_recipients_clock(customer: dict[str, str], wall: str) -> None:
    where = {"timezone": None, **customer}

    mail = write_mail(letter(call_ended(customer=where), timezone=None), mail_desk(), NOW)

    assert wall in mail.text


def with_mail(**texts: str) -> Mapping[str, Any]:
    base = programme()
    own = MailTexts(**{name: Texts({"en": text}, "en") for name, text in texts.items()})
    survey = base.surveys["post-call"].model_copy(update={"mail": own})
    return {"surveys": {**base.surveys, "post-call": survey}}


def test_a_mail_may_name_the_events_fields_and_they_stay_text() -> None:
    changes = with_mail(
        subject="Your call about {event.call.queue}", intro="{event.call.agent} helped you."
    )
    used = programme(**changes)
    event = call_ended(
        call={"queue": "bills\r\nBcc: all@example.org", "agent": "<script>alert(1)</script>"}
    )

    mail = write_mail(letter(event, used=used), mail_desk(**changes), NOW)

    assert "<script>alert(1)</script> helped you." in mail.text
    assert "script" not in read(mail.html).tags
    assert "&lt;script&gt;" in mail.html
    assert b"\nBcc:" not in build_message(mail, eight_bit=True)


def test_only_the_fields_that_are_named_are_kept() -> None:
    changes = with_mail(intro="{event.call.agent} helped you, {event.customer.phone}.")

    found = letter(used=programme(**changes)).invitation.words

    assert found == {"event.call.agent": "a-7"}


def test_a_survey_that_is_gone_and_an_address_that_is_missing_fail_for_good() -> None:
    surveys = {k: v for k, v in shipped().surveys.items() if k != "post-call"}

    for found, desk in ((letter(), mail_desk(surveys=surveys)), (letter(email=None), mail_desk())):
        with pytest.raises(SendFailed) as caught:
            write_mail(found, desk, NOW)
        assert caught.value.permanent


def test_a_moment_is_written_as_its_reader_writes_it() -> None:
    berlin = zone_or("Europe/Berlin", shipped().zone)
    seoul = zone_or("Asia/Seoul", shipped().zone)

    assert write_moment(NOW, "en", berlin) == "21 November 2026, 13:00"
    assert write_moment(NOW, "de", berlin) == "21.11.2026, 13:00 Uhr"
    assert write_moment(NOW, "ko", seoul) == "2026년 11월 21일 21:00"
    assert write_moment(NOW, "th", berlin) == "21 พฤศจิกายน 2569 เวลา 13:00 น."
    assert write_moment(NOW, "pt", berlin) == "2026-11-21 13:00"
    assert zone_or("Nowhere/At all", berlin) is berlin


class Kept:
    repeatable = True
    capacity = 1

    def __init__(self) -> None:
        self.messages: list[Any] = []

    async def send(self, message: Any, hand_over: HandOver = unasked) -> None:
        self.messages.append(message)


async def test_the_webhook_says_whom_to_ask_what_and_where() -> None:
    sender = Kept()

    await WebhookCourier(sender, mail_desk(), lambda: NOW).send(letter(), unasked)

    (delivery,) = sender.messages
    body = json.loads(delivery.body)
    assert delivery.id == body["data"]["invitation_id"]
    assert body["type"] == "survey.invitation"
    assert body["data"]["customer"]["email"] == "ann@example.org"
    assert body["data"]["segments"]["queue"] == "billing"
    assert LINK.fullmatch(body["data"]["link"])


async def test_the_courier_of_mails_gives_its_sender_the_whole_mail() -> None:
    sender = Kept()

    await MailCourier(sender, mail_desk(), lambda: NOW).send(replace(letter(), attempts=2), unasked)

    assert [mail.to for mail in sender.messages] == ["ann@example.org"]
