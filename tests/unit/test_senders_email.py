"""Mails as bytes: headers that cannot be injected, parts that a person can read."""

import email
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from shared.senders import SendFailed
from shared.senders.email import EmlFolder, Mail, build_message

THAI = "เจ้าหน้าที่ตอบช้ามาก"


def mail(**changes: Any) -> Mail:
    fields: dict[str, Any] = {
        "id": "i-abc",
        "to": "ann@example.org",
        "sender": "feedback@shop.example",
        "sender_name": "Müller & Söhne",
        "subject": f"Eine Frage: {THAI}",
        "text": f"{THAI}\n\nhttps://shop.example/s/token\n",
        "html": f"<p>{THAI}</p>",
        "language": "th",
        "unsubscribe": "https://shop.example/u/token",
        "date": datetime(2026, 11, 21, 10, 0, tzinfo=UTC),
    }
    return Mail(**{**fields, **changes})


def parsed(body: bytes) -> EmailMessage:
    message = email.message_from_bytes(body, policy=default)
    assert isinstance(message, EmailMessage)
    assert message.defects == []
    return message


def parts_of(message: EmailMessage) -> list[EmailMessage]:
    parts = [part for part in message.iter_parts() if isinstance(part, EmailMessage)]
    assert len(parts) == 2
    return parts


@pytest.mark.parametrize("eight_bit", [True, False], ids=["8bit", "quoted-printable"])
def test_both_parts_say_the_same_and_neither_is_base64(*, eight_bit: bool) -> None:
    message = parsed(build_message(mail(), eight_bit=eight_bit))

    text, html = parts_of(message)
    assert message.get_content_type() == "multipart/alternative"
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    for part in (text, html):
        expected = "8bit" if eight_bit else "quoted-printable"
        assert part["Content-Transfer-Encoding"] == expected
        assert part["Content-Language"] == "th"
        assert THAI in part.get_content()


def test_an_eight_bit_mail_can_be_read_as_it_lies_there() -> None:
    assert THAI.encode() in build_message(mail(), eight_bit=True)


def test_seven_bits_and_short_lines_suffice_for_a_mail_server() -> None:
    body = build_message(mail(text=THAI * 200), eight_bit=False)

    assert body.isascii()
    assert max(map(len, body.split(b"\r\n"))) <= 998


def test_a_line_too_long_for_eight_bits_is_quoted() -> None:
    message = parsed(build_message(mail(text="x" * 2000), eight_bit=True))

    assert parts_of(message)[0]["Content-Transfer-Encoding"] == "quoted-printable"


def test_the_headers_of_one_click_unsubscription_and_of_an_automatic_mail_are_there() -> None:
    message = parsed(build_message(mail(), eight_bit=True))

    assert message["List-Unsubscribe"] == "<https://shop.example/u/token>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Message-ID"] == "<i-abc@shop.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "th"
    assert message["Date"].datetime == datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
    assert message["From"].addresses[0].display_name == "Müller & Söhne"
    assert message["Subject"] == f"Eine Frage: {THAI}"


def test_a_link_longer_than_a_line_survives() -> None:
    link = "https://shop.example/u/" + "a" * 300

    message = parsed(build_message(mail(unsubscribe=link), eight_bit=True))

    assert message["List-Unsubscribe"].replace(" ", "") == f"<{link}>"


@pytest.mark.parametrize("field", ["subject", "sender_name"])
def test_line_ends_in_a_header_become_spaces(field: str) -> None:
    body = build_message(mail(**{field: "Hello\r\nBcc: all@example.org\n\n<p>"}), eight_bit=True)

    assert parsed(body)["Bcc"] is None
    assert b"\nBcc:" not in body


@pytest.mark.parametrize("to", ["", "ann", "a@b, c@d", "ann@\r\nBcc: x@y", "a b@example.org"])
def test_an_address_that_is_none_fails_for_good(to: str) -> None:
    with pytest.raises(SendFailed) as caught:
        build_message(mail(to=to), eight_bit=True)

    assert caught.value.permanent


def test_a_domain_in_another_script_is_written_in_ascii() -> None:
    message = parsed(build_message(mail(to="ann@bücher.example"), eight_bit=True))

    assert message["To"] == "ann@xn--bcher-kva.example"


async def test_the_folder_holds_whole_mails_by_their_ids(tmp_path: Path) -> None:
    folder = EmlFolder(tmp_path / "mail")

    await folder.send(mail())
    await folder.send(mail(text="once more"))

    (file,) = (tmp_path / "mail").iterdir()
    assert file.name == "i-abc.eml"
    assert "once more" in parts_of(parsed(file.read_bytes()))[0].get_content()


async def test_a_folder_that_cannot_be_written_is_a_fault_for_now(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("a file where the folder should be")

    with pytest.raises(SendFailed) as caught:
        await EmlFolder(tmp_path / "mail").send(mail())

    assert not caught.value.permanent
