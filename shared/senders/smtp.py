"""Mail by SMTP: a few connections kept open, every wait bounded."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Self
from urllib.parse import unquote, urlsplit

import aiosmtplib

from shared.senders import SEND_WITHIN, HandOver, SendFailed, SendInDoubt, unasked
from shared.senders.email import Mail, ascii_address, build_message

ACCEPTED: Final = "smtp://[user:password@]host[:port] (STARTTLS) or smtps://… (TLS at once)"
_WAIT_S: Final = 10.0
_READY_S: Final = 12.0


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed over. With a user the connection must be encrypted."""

    host: str
    port: int
    tls: bool
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def read(cls, url: str) -> Self:
        """Read `smtp://user:password@host:587` or `smtps://…`.

        Raises ValueError, which repeats nothing of it: a password may stand in the wrong place.
        """
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        beyond = parts.path.strip("/") or parts.query or parts.fragment
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or port == -1 or beyond:
            raise ValueError(
                f"the mail server's address is not {ACCEPTED}; %23, %2F, %3F, %40 stand for # / ? @"
            )
        tls = parts.scheme == "smtps"
        default = 465 if tls else (587 if parts.username else 25)
        return cls(
            host=parts.hostname,
            port=port or default,
            tls=tls,
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password or "") if parts.username else None,
        )

    def client(self, name: str) -> aiosmtplib.SMTP:
        """A client that is not yet connected; `name` is how it greets the server."""
        return aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            username=self.user,
            password=self.password,
            local_hostname=name,
            timeout=_WAIT_S,
            use_tls=self.tls,
            start_tls=self.starts_tls,
        )

    @property
    def starts_tls(self) -> bool | None:
        """Whether STARTTLS is asked for: always with a user, else where the server offers it."""
        if self.tls:
            return False
        return True if self.user is not None else None


class SmtpSender:
    """Hands mails to a server. Not repeatable: a server does not know a Message-ID again.

    Before a mail is handed over at most `ready_s` seconds are spent: on waiting for one of the
    `connections`, connecting, and naming sender and recipient.
    """

    repeatable: Final = False

    def __init__(
        self, server: MailServer, *, connections: int = 4, name: str, ready_s: float = _READY_S
    ) -> None:
        self._ready_s = ready_s
        self.capacity = 2 * connections  # while one is sent, the next stands ready
        self._clients = [server.client(name) for _ in range(connections)]
        self._idle: asyncio.LifoQueue[aiosmtplib.SMTP] = asyncio.LifoQueue()
        for client in self._clients:
            self._idle.put_nowait(client)

    async def send(self, message: Mail, hand_over: HandOver = unasked) -> None:
        """Return once the server has taken the mail.

        `hand_over` is awaited when all is ready and the mail's first line has not left.
        Raises what that raises, SendFailed (for good where the server refuses this customer or
        this mail), and SendInDoubt when the connection ended between the mail's last line and the
        answer.
        """
        body = build_message(message, eight_bit=False)
        until = asyncio.get_running_loop().time() + self._ready_s
        async with _nothing_sent_yet(until, "no connection to the mail server became free"):
            client = await self._idle.get()
        try:
            async with _nothing_sent_yet(until, "the mail server took too long"):
                await _connect(client)
                await _offer(client, message)
                await hand_over()
            await _hand_over(client, body)
        except BaseException:
            client.close()
            raise
        finally:
            self._idle.put_nowait(client)

    def close(self) -> None:
        """Let go of all connections."""
        for client in self._clients:
            client.close()


@asynccontextmanager
async def open_smtp(
    server: MailServer, *, name: str, within: timedelta = SEND_WITHIN
) -> AsyncIterator[SmtpSender]:
    """A sender whose connections are closed at the end; half of `within` may pass before a mail."""
    ready_s = min(_READY_S, within.total_seconds() / 2)
    sender = SmtpSender(server, name=name, ready_s=ready_s)
    try:
        yield sender
    finally:
        sender.close()


@asynccontextmanager
async def _nothing_sent_yet(until: float, detail: str) -> AsyncIterator[None]:
    """Until then; a time-out here leaves no doubt, so it may be tried again."""
    try:
        async with asyncio.timeout_at(until):
            yield
    except TimeoutError as error:
        raise SendFailed(detail, permanent=False) from error


async def _connect(client: aiosmtplib.SMTP) -> None:
    """Connect, or keep the connection if it still lives."""
    try:
        if client.is_connected:
            try:
                await client.noop()
            except aiosmtplib.SMTPException:
                client.close()
            else:
                return
        await client.connect()
    except (aiosmtplib.SMTPException, OSError) as error:
        detail = f"the mail server could not be used: {type(error).__name__}"
        raise SendFailed(detail, permanent=False) from error


async def _offer(client: aiosmtplib.SMTP, mail: Mail) -> None:
    """Name sender and recipient; a 5xx about the recipient is for good."""
    try:
        await client.mail(mail.sender)
        await client.rcpt(ascii_address(mail.to))
    except aiosmtplib.SMTPRecipientRefused as error:
        detail = f"the mail server refused the recipient ({error.code})"
        raise SendFailed(detail, permanent=error.code >= 500) from error
    except (aiosmtplib.SMTPException, OSError) as error:
        detail = f"the mail server did not take the sender: {type(error).__name__}"
        raise SendFailed(detail, permanent=False) from error


async def _hand_over(client: aiosmtplib.SMTP, body: bytes) -> None:
    """Send the mail itself; without an answer nobody knows."""
    try:
        await client.data(body)
    except aiosmtplib.SMTPDataError as error:
        detail = f"the mail server refused the mail ({error.code})"
        raise SendFailed(detail, permanent=error.code >= 500) from error
    except (aiosmtplib.SMTPException, OSError) as error:
        detail = f"the mail server did not answer: {type(error).__name__}"
        raise SendInDoubt(detail) from error
