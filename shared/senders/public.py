"""For addresses that come from data: only what is on the public internet is reached.

Who chooses an address chooses where this process knocks: at the metadata service of a cloud, at a
neighbour without keys. What the operator's programme or environment names is not asked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from socket import SOCK_STREAM, gaierror
from typing import Final

import httpx

_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052; a router there reaches the address within
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class NotPublic(httpx.ConnectError):
    """The address is not on the public internet; nothing was sent there."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, or of a number in whichever form. Raises httpx.ConnectError."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=SOCK_STREAM)
    except (gaierror, UnicodeError) as error:
        raise httpx.ConnectError(f"the name is not known: {type(error).__name__}") from None
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def is_public(text: str) -> bool:
    """Whether this is a unicast address that everybody reaches, also if written within another."""
    address = _within(ip_address(text.partition("%")[0]))
    if isinstance(address, IPv6Address) and address.is_site_local:  # RFC 3879; "global" to Python
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _within(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address stands for, where it stands for one."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)


class PublicOnly(httpx.AsyncBaseTransport):
    """Resolves a name once, looks at all that it resolves to, and connects to just that.

    A second answer of the name's server is never asked for. Host, SNI and the certificate are those
    of the name; `inner` must keep no connection, for it tells them apart by number alone.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, look_up: Resolve = resolve) -> None:
        self._inner = inner
        self._look_up = look_up

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises NotPublic, and what the inner transport raises."""
        url, host = request.url, request.url.host
        port = url.port or {"http": 80, "https": 443}[url.scheme]
        addresses = await self._look_up(host, port)
        if not addresses or not all(map(is_public, addresses)):
            raise NotPublic("the address is not on the public internet", request=request)
        request.extensions = {**request.extensions, "sni_hostname": host}
        *others, last = addresses
        for address in others:
            request.url = url.copy_with(host=address)
            try:
                return await self._inner.handle_async_request(request)
            except httpx.ConnectError:
                continue
        request.url = url.copy_with(host=last)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()
