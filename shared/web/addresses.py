"""Whose request it is, where no key says so: the peer's, or what a trusted proxy says of it."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

import structlog
from starlette.types import Scope

from shared.settings import SettingsFault

_log = structlog.get_logger()
Network = IPv4Network | IPv6Network
_NOBODY: Final = "unknown"
_HEADER: Final = b"x-forwarded-for"


class Addresses:
    """Names callers by address; IPv6 by /64, of which one holder has as many as it likes.

    X-Forwarded-For is read from its end, where the nearest proxy writes: the first address that is
    no trusted proxy's is the caller's. What stands before it is the caller's own word.
    """

    def __init__(self, trusted: Sequence[Network] = ()) -> None:
        self._trusted = tuple(trusted)
        self._warned = False
        self._read = lru_cache(maxsize=10_000)(self._looked_at)

    def of(self, scope: Scope) -> str:
        """The caller's address or prefix."""
        client = scope.get("client")
        name, is_proxy = self._read(client[0]) if client else (_NOBODY, False)
        if not is_proxy:
            self._warn_of_a_proxy(scope)
            return name
        values = [value for key, value in scope["headers"] if key == _HEADER]
        hops = b",".join(values).decode("latin-1").split(",") if values else []
        for hop in reversed(hops):
            said, is_proxy = self._read(_without_port(hop.strip()[:60]))
            if said == _NOBODY:
                break
            name = said
            if not is_proxy:
                break
        return name

    def _warn_of_a_proxy(self, scope: Scope) -> None:
        """Once: behind a proxy that is not named, all customers have one address."""
        if not self._warned and any(key == _HEADER for key, _ in scope["headers"]):
            self._warned = True
            _log.warning(
                "X-Forwarded-For of a peer that is no trusted proxy is not believed",
                setting="EARSHOT_TRUSTED_PROXIES",
            )

    def _looked_at(self, text: str) -> tuple[str, bool]:
        """Its name, and whether it is a trusted proxy's."""
        try:
            found = ip_address(text)
        except ValueError:
            return _NOBODY, False
        if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        is_proxy = any(found in network for network in self._trusted)
        if isinstance(found, IPv6Address):
            return str(IPv6Network((int(found) >> 64 << 64, 64))), is_proxy
        return str(found), is_proxy


def _without_port(hop: str) -> str:
    """Some proxies write the caller's port too: 198.51.100.1:4711, [2001:db8::1]:4711."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def read_networks(text: str) -> tuple[Network, ...]:
    """The networks of EARSHOT_TRUSTED_PROXIES. Raises SettingsFault, which names what is none."""
    found = []
    for word in text.replace(",", " ").split():
        try:
            found.append(ip_network(word))
        except ValueError as error:
            raise SettingsFault(f"EARSHOT_TRUSTED_PROXIES: {error}") from None
    return tuple(found)
