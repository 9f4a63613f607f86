"""Slack's incoming webhooks (docs.slack.dev, "Sending messages using incoming webhooks").

The address is the secret: who knows it may post. It stands in no detail, log or reply.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import msgspec

from shared.senders import SEND_WITHIN, SendFailed, asked_to_wait

LONGEST_SECTION: Final = 3_000  # characters of a section's text; of a fallback text, 40,000
LONGEST_CONTEXT: Final = 300
# What Slack says of the webhook, its channel or its workspace: nothing arrives until a person acts.
_GONE: Final = frozenset({
    "action_prohibited", "channel_is_archived", "channel_not_found", "invalid_token",
    "no_active_hooks", "no_service", "no_service_id", "no_team", "team_disabled",
    "posting_to_general_channel_denied",
})  # fmt: skip
_GONE_STATUS: Final = frozenset({404, 410})
_REFUSED: Final = frozenset({400, 413})  # about this message
_TOO_MANY: Final = 429
_UNTOLD_WAIT: Final = timedelta(seconds=30)
_SHOWN: Final = 100
_WORD: Final = re.compile(r"[a-z_]{1,60}")
_CUT: Final = "…"
_CRIES: Final = re.compile(r"@(?=channel|here|everyone)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SlackWebhook:
    """An incoming webhook. `place` tells it from others and gives nothing away."""

    url: str = field(repr=False)

    def __post_init__(self) -> None:
        """Raises ValueError, which repeats nothing of it."""
        try:
            parts = urlsplit(self.url)
            fits = parts.scheme in {"http", "https"} and bool(parts.hostname)
        except ValueError:
            fits = False
        if not fits or not self.url.isprintable():
            raise ValueError("a Slack webhook's address begins with https:// and names a host")

    @property
    def place(self) -> str:
        """Scheme and host, with a fingerprint of the rest."""
        parts = urlsplit(self.url)
        digest = sha256(self.url.encode()).hexdigest()[:16]
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}#{digest}"


class SlackMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message: `text` for notifications, `blocks` for the channel. All of it is escaped."""

    text: str
    blocks: Sequence[dict[str, Any]]


def escaped(text: str) -> str:
    """A text in which nothing is a link, a mention or a call of everybody.

    Slack's three control characters as entities; a call that old clients find in plain text
    loses its power by a space of no width.
    """
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _CRIES.sub("@\u200b", plain)


def cut(text: str, most: int) -> str:
    """At most so many characters of an escaped text, never ending within an entity."""
    if len(text) <= most:
        return text
    kept = text[: most - len(_CUT)]
    before, mark, entity = kept.rpartition("&")
    return (before if mark and ";" not in entity else kept) + _CUT


def section(text: str) -> dict[str, Any]:
    """A block of escaped text. `verbatim`: Slack makes no links of what looks like one."""
    words = {"type": "mrkdwn", "text": cut(text, LONGEST_SECTION), "verbatim": True}
    return {"type": "section", "text": words}


def context(text: str) -> dict[str, Any]:
    """A line of small print."""
    words = {"type": "mrkdwn", "text": cut(text, LONGEST_CONTEXT), "verbatim": True}
    return {"type": "context", "elements": [words]}


def link(url: str, text: str) -> str:
    """A link of ours."""
    return f"<{escaped(url).replace('|', '%7C')}|{escaped(text)}>"


class SlackSender:
    """Posts messages to one webhook, one after the other: Slack takes about one a second.

    Not repeatable: what comes twice, stands there twice.
    """

    repeatable: Final = False
    capacity: Final = 1

    def __init__(
        self,
        client: httpx.AsyncClient,
        webhook: SlackWebhook,
        *,
        within: timedelta = SEND_WITHIN,
    ) -> None:
        self._client = client
        self._url = webhook.url
        self._within_s = within.total_seconds()

    async def send(self, message: SlackMessage) -> None:
        """Post it; any 2xx is success.

        Raises SendFailed: `gone` where the webhook, its channel or its workspace is (404, 410, and
        Slack's words for it), for good on 400 and 413, else for now; 429 says how long to wait.
        """
        body = msgspec.json.encode(message)
        try:
            async with asyncio.timeout(self._within_s):
                status, said, wait = await self._post(body)
        except (httpx.HTTPError, TimeoutError) as error:
            detail = f"Slack could not be reached: {type(error).__name__}"
            # the error may name the address
            raise SendFailed(detail, permanent=False) from None
        if 200 <= status < 300:
            return
        gone = status in _GONE_STATUS or (400 <= status < 500 and said in _GONE)
        if status == _TOO_MANY:
            gone, wait = False, wait or _UNTOLD_WAIT
        detail = f"Slack answered {status}: {said}".removesuffix(": ")
        raise SendFailed(detail, permanent=gone or status in _REFUSED, gone=gone, wait=wait)

    async def _post(self, body: bytes) -> tuple[int, str, timedelta | None]:
        headers = {"content-type": "application/json; charset=utf-8"}
        request = self._client.stream("POST", self._url, content=body, headers=headers)
        async with request as response:
            said = ""
            async for text in response.aiter_text(_SHOWN):
                said = text.strip()
                break  # the rest may be long
            # only Slack's own words: what stands in between might repeat the address
            known = said if _WORD.fullmatch(said) else ""
            return response.status_code, known, asked_to_wait(response.headers.get("retry-after"))
