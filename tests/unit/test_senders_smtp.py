"""Mail by SMTP against a small server that can refuse, hang up and be silent."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from shared.senders import SendFailed, SendInDoubt
from shared.senders.smtp import MailServer, SmtpSender
from tests.unit.test_senders_email import mail, parsed


class Postbox:
    """An SMTP server of 30 lines. `answers` replaces its reply to a command; "" hangs up."""

    def __init__(self, answers: Mapping[str, str] | None = None) -> None:
        self.answers = dict(answers or {})
        self.mails: list[bytes] = []
        self.connections = 0
        self.port = 0
        self.served: list[asyncio.Task[None]] = []

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.served.append(asyncio.ensure_future(self.serve(reader, writer)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 postbox\r\n")
        while line := await reader.readline():
            word = line.decode().split()[0].upper()
            reply = self.answers.get(word, "354 go on" if word == "DATA" else "250 ok")
            if not reply:
                break
            writer.write(f"{reply}\r\n".encode())
            if reply.startswith("354"):
                body = await reader.readuntil(b"\r\n.\r\n")
                end = self.answers.get("END", "250 taken")
                if not end:
                    break
                if end.startswith("2"):
                    self.mails.append(body)
                writer.write(f"{end}\r\n".encode())
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def opened(box: Postbox) -> AsyncIterator[SmtpSender]:
    server = await asyncio.start_server(box.accept, "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    sender = SmtpSender(MailServer("127.0.0.1", box.port, tls=False), connections=1, name="shop")
    async with server:
        yield sender
        sender.close()
        await asyncio.wait_for(asyncio.gather(*box.served), 5)


async def test_mails_are_handed_over_on_a_connection_that_is_kept() -> None:
    box = Postbox()
    async with opened(box) as sender:
        await sender.send(mail())
        await sender.send(mail(id="i-2"))

    assert box.connections == 1
    ids = [parsed(body.removesuffix(b".\r\n"))["Message-ID"] for body in box.mails]
    assert ids == ["<i-abc@shop.example>", "<i-2@shop.example>"]
    assert box.mails[0].isascii()


async def test_a_connection_that_died_while_idle_is_made_anew() -> None:
    box = Postbox()
    async with opened(box) as sender:
        await sender.send(mail())
        box.answers["NOOP"] = ""
        await sender.send(mail(id="i-2"))

    assert (box.connections, len(box.mails)) == (2, 2)


@pytest.mark.parametrize(
    ("answers", "permanent"),
    [
        ({"RCPT": "550 no such user"}, True),
        ({"RCPT": "451 later"}, False),
        ({"MAIL": "550 not from you"}, False),
        ({"MAIL": ""}, False),
        ({"DATA": "451 later"}, False),
        ({"END": "554 refused"}, True),
        ({"END": "451 later"}, False),
    ],
    ids=str,
)
async def test_a_refusal_says_whether_trying_again_helps(
    answers: dict[str, str], *, permanent: bool
) -> None:
    box = Postbox(answers)
    async with opened(box) as sender:
        with pytest.raises(SendFailed) as caught:
            await sender.send(mail())

    assert caught.value.permanent is permanent
    assert "ann@example.org" not in caught.value.detail
    assert box.mails == []


async def test_an_end_after_the_last_line_leaves_doubt() -> None:
    async with opened(Postbox({"END": ""})) as sender:
        with pytest.raises(SendInDoubt):
            await sender.send(mail())


async def test_after_a_fault_the_sender_still_works() -> None:
    box = Postbox({"END": ""})
    async with opened(box) as sender:
        with pytest.raises(SendInDoubt):
            await sender.send(mail())
        box.answers.clear()
        await sender.send(mail())

    assert len(box.mails) == 1


async def test_a_server_that_is_silent_is_a_fault_for_now_also_for_those_who_wait() -> None:
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    silent = MailServer("127.0.0.1", server.sockets[0].getsockname()[1], tls=False)
    sender = SmtpSender(silent, connections=1, name="shop", ready_s=0.05)
    async with server:
        faults = await asyncio.gather(
            sender.send(mail()), sender.send(mail(id="i-2")), return_exceptions=True
        )
        for writer in held:
            writer.close()

    assert [getattr(fault, "permanent", None) for fault in faults] == [False, False]
    assert {str(fault) for fault in faults} == {
        "the mail server took too long",
        "no connection to the mail server became free",
    }


async def test_nobody_listening_is_a_fault_for_now() -> None:
    box = Postbox()
    async with opened(box) as sender:
        pass
    with pytest.raises(SendFailed) as caught:
        await sender.send(mail())

    assert not caught.value.permanent


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example", MailServer("mail.example", 25, tls=False)),
        ("smtps://mail.example", MailServer("mail.example", 465, tls=True)),
        (
            "smtp://me%40x:p%2Fw@mail.example",
            MailServer("mail.example", 587, tls=False, user="me@x", password="p/w"),
        ),
        ("smtp://u:p@mail.example:2525", MailServer("mail.example", 2525, False, "u", "p")),
    ],
)
def test_the_address_of_a_mail_server_is_read(url: str, server: MailServer) -> None:
    assert MailServer.read(url) == server


@pytest.mark.parametrize(
    "url",
    [
        "mail.example",
        "http://mail.example",
        "smtp://",
        "smtp://h:x",
        "smtp://me:123#w@h",
        "smtp://me:s3?x@h",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="mail server's address is not smtp") as caught:
        MailServer.read(url)

    assert "123" not in str(caught.value)
    assert "s3" not in str(caught.value)


def test_a_password_is_neither_shown_nor_sent_in_clear() -> None:
    server = MailServer.read("smtp://u:hidden@mail.example")

    assert "hidden" not in repr(server)
    assert server.starts_tls is True
    assert MailServer.read("smtp://mail.example").starts_tls is None


async def test_a_mail_is_said_to_be_handed_over_before_its_first_line_leaves() -> None:
    box = Postbox()
    seen: list[int] = []

    async def hand_over() -> None:
        seen.append(len(box.mails))

    async with opened(box) as sender:
        await sender.send(mail(), hand_over)
        await sender.send(mail(), hand_over)

    assert seen == [0, 1]
    assert len(box.mails) == 2


async def test_a_mail_that_may_not_be_handed_over_stays_here() -> None:
    async def refuse() -> None:
        raise SendFailed("another worker has it by now", permanent=False)

    box = Postbox()
    async with opened(box) as sender:
        with pytest.raises(SendFailed, match="another worker"):
            await sender.send(mail(), refuse)
        await sender.send(mail())

    assert len(box.mails) == 1
