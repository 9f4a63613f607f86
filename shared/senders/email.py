"""One mail as bytes, and the folder that stands in for a mail server."""

import asyncio
import os
from dataclasses import dataclass, field
from datetime import datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Final

from shared.senders import SendFailed

_LONGEST_LINE: Final = 900  # bytes; RFC 5322 allows 998


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail to one person. `id` becomes its Message-ID; `unsubscribe` the RFC 8058 header."""

    id: str
    to: str = field(repr=False)
    sender: str
    sender_name: str
    subject: str
    text: str
    html: str
    language: str
    unsubscribe: str
    date: datetime


def build_message(mail: Mail, *, eight_bit: bool) -> bytes:
    """The mail with CRLF lines; its parts 8bit or quoted-printable, never base64.

    Headers cannot be injected: line ends in names and subject become spaces, and an address that
    is not one raises SendFailed for good.
    """
    message = EmailMessage(policy=SMTP)
    domain = mail.sender.rpartition("@")[2]
    message["From"] = Address(_one_line(mail.sender_name), addr_spec=mail.sender)
    message["To"] = Address(addr_spec=ascii_address(mail.to))
    message["Subject"] = _one_line(mail.subject)
    message["Date"] = mail.date
    message["Message-ID"] = f"<{mail.id}@{domain}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text, charset="utf-8", cte=_encoding(mail.text, eight_bit=eight_bit))
    message.add_alternative(
        mail.html, subtype="html", charset="utf-8", cte=_encoding(mail.html, eight_bit=eight_bit)
    )
    for part in message.walk():
        part["Content-Language"] = mail.language
    # The library folds a long link into encoded words, which no mail provider follows.
    return f"List-Unsubscribe: <{_one_line(mail.unsubscribe)}>\r\n".encode() + message.as_bytes()


def ascii_address(text: str) -> str:
    """The address with its domain in ASCII (IDNA 2003). Raises SendFailed for good."""
    try:
        local, _, domain = text.rpartition("@")
        return Address(addr_spec=f"{local}@{domain.encode('idna').decode()}").addr_spec
    except (ValueError, HeaderParseError, IndexError) as error:
        raise SendFailed("the customer's address is not one", permanent=True) from error


def _one_line(text: str) -> str:
    return "".join(filter(str.isprintable, " ".join(text.split())))


def _encoding(text: str, *, eight_bit: bool) -> str:
    longest = max((len(line.encode()) for line in text.splitlines()), default=0)
    return "8bit" if eight_bit and longest <= _LONGEST_LINE else "quoted-printable"


class EmlFolder:
    """Writes each mail to `<folder>/<id>.eml`: what is there under that name is whole."""

    repeatable: Final = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, message: Mail) -> None:
        """Write the mail; a mail that comes twice replaces itself. Raises SendFailed."""
        body = build_message(message, eight_bit=True)
        try:
            await asyncio.to_thread(self._write, message.id, body)
        except OSError as error:
            detail = f"the mail could not be written: {error.strerror}"
            raise SendFailed(detail, permanent=False) from error

    def _write(self, name: str, body: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        part = self._folder / f".{name}.{os.getpid()}.part"
        part.write_bytes(body)
        part.replace(self._folder / f"{name}.eml")
