"""Signed webhooks as Standard Webhooks describes them (standardwebhooks.com, version 1)."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import httpx
from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from shared.senders import SEND_WITHIN, SendFailed, asked_to_wait
from shared.senders.public import PublicOnly

_READ_AT_MOST: Final = 64 * 1024
_BODY_S: Final = 5.0
CONNECTIONS: Final = 32
_GONE: Final = 410
# These are about the message. A redirect, 401, 403 or 404 is about what stands in between, and the
# message must still arrive once that is mended.
_REFUSED: Final = frozenset({400, _GONE, 413, 415, 422})


@dataclass(frozen=True, slots=True)
class Destination:
    """Where signed webhooks go. `secret` reads `whsec_<base64>`."""

    url: str = field(repr=False)
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        """Raises ValueError that says what is accepted."""
        if not _names_a_host(self.url):
            raise ValueError("a webhook's address begins with https:// or http:// and names a host")
        try:
            Webhook(self.secret)
        except (ValueError, RuntimeError, EmptyWebhookSecretError) as error:
            raise ValueError("a webhook's secret is whsec_ and base64") from error


def _names_a_host(address: str) -> bool:
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        return False
    return url.scheme in {"http", "https"} and bool(url.host)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message. `id` is the receiver's idempotency key and the same at every try."""

    id: str
    body: bytes
    content_type: str = "application/json"


def open_client(
    *, timeout_s: float = 15.0, connections: int = CONNECTIONS, only_public: bool = False
) -> httpx.AsyncClient:
    """A client for webhooks: no redirects, no proxies from the environment, every wait bounded.

    `only_public` is for addresses that come from data; those that an operator names need it not.
    """
    limits = httpx.Limits(max_connections=connections)
    transport = None
    if only_public:
        unkept = httpx.Limits(max_connections=connections, max_keepalive_connections=0)
        transport = PublicOnly(httpx.AsyncHTTPTransport(trust_env=False, limits=unkept))
    return httpx.AsyncClient(
        timeout=timeout_s,
        follow_redirects=False,
        trust_env=False,
        limits=limits,
        transport=transport,
        headers={"User-Agent": "Earshot", "Accept-Encoding": "identity"},
    )


class WebhookSender:
    """Posts signed messages to one destination."""

    repeatable: Final = True
    capacity: Final = CONNECTIONS

    def __init__(
        self,
        client: httpx.AsyncClient,
        destination: Destination,
        clock: Callable[[], datetime],
        *,
        within: timedelta = SEND_WITHIN,
    ) -> None:
        self._client = client
        self._within_s = within.total_seconds()
        self._url = destination.url
        self._signer = Webhook(destination.secret)
        self._clock = clock

    async def send(self, message: Delivery) -> None:
        """Post it; any 2xx is success, and a redirect is not followed.

        Raises SendFailed: for good on 400, 413, 415, 422 and on 410, which says `gone`; for now on
        any other status, time-out and no connection. `Retry-After` is passed on. The receiver
        knows repeats by `webhook-id`, so a time-out may be tried again.
        """
        now = self._clock()
        headers = {
            "content-type": message.content_type,
            "webhook-id": message.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(message.id, now, message.body.decode()),
        }
        try:
            # the client bounds each wait; one that answers drop by drop, only this
            async with asyncio.timeout(self._within_s):
                status, wait = await self._post(message.body, headers)
        except (httpx.HTTPError, TimeoutError) as error:
            detail = f"the webhook could not be reached: {type(error).__name__}"
            raise SendFailed(detail, permanent=False) from error
        if not 200 <= status < 300:
            detail = f"the webhook answered {status}"
            gone = status == _GONE
            raise SendFailed(detail, permanent=status in _REFUSED, gone=gone, wait=wait)

    async def _post(self, body: bytes, headers: dict[str, str]) -> tuple[int, timedelta | None]:
        request = self._client.stream("POST", self._url, content=body, headers=headers)
        async with request as response:
            with contextlib.suppress(httpx.HTTPError, TimeoutError):  # the status says it all
                async with asyncio.timeout(_BODY_S):
                    await _read_some(response)
            return response.status_code, asked_to_wait(response.headers.get("retry-after"))


async def _read_some(response: httpx.Response) -> None:
    """Read a short body to its end, so that the connection is kept; leave a long one."""
    size = 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > _READ_AT_MOST:
            return
