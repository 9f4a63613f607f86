"""The door that every service has: how often it may be knocked at, and what it tells a browser."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import TooMany
from shared.keys import KeyFile
from shared.settings import Settings
from shared.web.addresses import Addresses, read_networks
from shared.web.problems import problem_response
from shared.web.rates import Rates

PROBES: Final = frozenset({"/healthz", "/readyz", "/metrics"})
CUSTOMERS: Final = ("/s/", "/u/")
A_LINK_S: Final = 5.0
_MISS: Final = 20  # what a wrong key or link costs: to guess is slow
_MISSED: Final = (401, 404)
_YEAR_S: Final = 31_536_000

Headers = list[tuple[bytes, bytes]]


def plain_headers(*, https: bool) -> Headers:
    """What every reply says that is no page of ours: nothing is to be shown, framed or kept."""
    headers = [
        (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cache-control", b"no-store"),
    ]
    if https:
        headers.append((b"strict-transport-security", b"max-age=%d" % _YEAR_S))
    return headers


@dataclass(frozen=True)
class Door:
    """The limits of one service in this process; without a key each address has one.

    `links` is of a survey's link, whoever holds it. `bodies` are sizes by path where 64 KiB does
    not fit.
    """

    keys: Rates = field(default_factory=lambda: Rates(0))
    addresses: Rates = field(default_factory=lambda: Rates(0))
    links: Rates = field(default_factory=lambda: Rates(0))
    callers: Addresses = field(default_factory=Addresses)
    https: bool = False
    docs: bool = True
    bodies: Mapping[str, int] = field(default_factory=dict)

    def admit_key(self, key: str) -> None:
        """Raises TooMany."""
        _refuse(self.keys.take(key), f"the key {key} is used more often than is allowed")

    def admit_address(self, scope: Scope) -> None:
        """Raises TooMany."""
        wait = self.addresses.take(self.callers.of(scope))
        _refuse(wait, "more requests without a key than are allowed came from this address")

    def admit_link(self, token: str) -> None:
        """Raises TooMany. Of the link no more is remembered than a number."""
        _refuse(self.links.take(hash(token)), "this link is used more often than is allowed")

    def missed(self, scope: Scope) -> None:
        """A key or a link was none of ours: who guesses soon has to wait."""
        self.addresses.charge(self.callers.of(scope), _MISS)


def _refuse(wait_s: float, detail: str) -> None:
    if wait_s:
        raise TooMany(detail, retry_after_s=math.ceil(wait_s))


def open_door(
    settings: Settings, public_url: str = "", bodies: Mapping[str, int] | None = None
) -> Door:
    """The door as the settings want it. Raises SettingsFault."""
    return Door(
        keys=Rates(settings.rate_per_key),
        addresses=Rates(settings.rate_per_address),
        links=Rates(A_LINK_S if settings.rate_per_address else 0),
        callers=Addresses(read_networks(settings.trusted_proxies)),
        https=public_url.startswith("https:"),
        docs=settings.keys_file is None if settings.docs is None else settings.docs,
        bodies=bodies or {},
    )


class Turnstile:
    """Refuse with 429 who comes too often; health and metrics are free.

    Where no keys are asked for, only this machine reaches the service, and the customers' pages
    alone are limited.
    """

    def __init__(self, app: ASGIApp, door: Door, keys: KeyFile) -> None:
        self._app = app
        self._door = door
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        try:
            by_address = self._admit(scope)
        except TooMany as refused:
            await problem_response(refused)(scope, receive, send)
            return
        await self._app(scope, receive, self._noting(scope, send) if by_address else send)

    def _admit(self, scope: Scope) -> bool:
        """Whether the address was counted. Raises TooMany."""
        ours = next((v for n, v in scope["headers"] if n == b"authorization"), None)
        asked = self._keys.asked
        key = self._keys.holder(ours.decode("latin-1")) if asked and ours else None
        if key is not None:
            self._door.admit_key(key)
            return False
        is_page = scope["path"].startswith(CUSTOMERS)
        if not asked and not is_page:
            return False
        self._door.admit_address(scope)
        if is_page:
            self._door.admit_link(scope["path"][3:].partition("/")[0])
        return True

    def _noting(self, scope: Scope, send: Send) -> Send:
        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in _MISSED:
                self._door.missed(scope)
            await send(message)

        return noted


class Protected:
    """Adds to each reply the headers that it does not have itself; the outermost layer."""

    def __init__(self, app: ASGIApp, headers: Headers) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = list(message.get("headers", ()))
                names = {name.lower() for name, _ in own}
                own += [one for one in self._headers if one[0] not in names]
                message["headers"] = own
            await send(message)

        await self._app(scope, receive, protected)
