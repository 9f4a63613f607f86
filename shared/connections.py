"""A connection of the web server: bounded in what it may send before it says something.

uvicorn waits for ever for a request to begin, to go on and to end, and keeps whatever headers come.
Here a request has its time, its head has its size, and the number of connections is bounded: beyond
it one that is silent makes room.
"""

import json
import resource
from collections.abc import Collection
from http import HTTPStatus
from time import monotonic
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEAD_BYTES: Final = 32 * 1024
PATIENCE_S: Final = 20.0
SLOWEST_BYTES: Final = 8 * 1024  # a second: what came buys its sender more time
_FEWEST: Final = 128
_MOST: Final = 10_000
_HEADERS: Final = (
    b"content-type: application/problem+json\r\n"
    b"content-security-policy: default-src 'none'; frame-ancestors 'none'\r\n"
    b"x-content-type-options: nosniff\r\nreferrer-policy: no-referrer\r\n"
    b"cache-control: no-store\r\nconnection: close\r\n"
)


def most_connections() -> int:
    """A quarter of the files that the process may open: four services may share it."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if files == resource.RLIM_INFINITY else max(_FEWEST, min(_MOST, files // 4))


class Connection(HttpToolsProtocol):
    """One connection; `late` says whether what it began to send should have come by now."""

    def __init__(self, *about: Any, **more: Any) -> None:
        super().__init__(*about, **more)
        self.most = most_connections()
        self.began: float | None = monotonic()
        self._received = 0
        self._in_head = True

    def connection_made(self, transport: Any) -> None:
        full = len(self.connections) >= self.most and not _make_room(self.connections)
        super().connection_made(transport)
        if full:
            transport.close()

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        super().data_received(data)
        if self._in_head:
            if self._received > HEAD_BYTES:
                status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
                self._refuse(status, "the head is over 32 KiB")
        elif self.headers:
            self.headers = []  # trailers, which say nothing
        if self.began is None and self.cycle.response_complete:
            self.began = monotonic()  # an empty line, which begins nothing and ends the idle time

    def on_message_begin(self) -> None:
        if self.began is None:
            self.began, self._received = monotonic(), 0
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()
        self.headers = []  # the request has its own; what comes after them is none of it

    def on_message_complete(self) -> None:
        self.began = None
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(HTTPStatus.BAD_REQUEST, msg)

    def late(self, now: float) -> bool:
        """Whether a request, or the first one, should have come by now."""
        if self.began is None or self.pipeline:  # it waits for us, not for its sender
            return False
        return now - self.began > PATIENCE_S + self._received / SLOWEST_BYTES

    def time_out(self) -> None:
        """End it with 408, unless an answer is on its way already."""
        if self._received or request_of(self) is not None:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the request did not come in time")
        else:
            self.transport.close()

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        cycle = request_of(self)
        if self.transport.is_closing():
            return
        if cycle is None or cycle.response_complete or not cycle.response_started:
            body = _problem(status, detail)
            head = b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode())
            length = b"content-length: %d\r\n\r\n" % len(body)
            self.transport.write(head + _HEADERS + length + body)
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()


def request_of(connection: HttpToolsProtocol) -> RequestResponseCycle | None:
    """Its newest request; None before the first."""
    return connection.cycle


def is_silent(connection: HttpToolsProtocol) -> bool:
    """Whether no request of it is under way."""
    cycle = request_of(connection)
    return cycle is None or cycle.response_complete


def end_late(connections: Collection[Any], now: float) -> None:
    """End those that do not go on."""
    for each in list(connections):
        if isinstance(each, Connection) and each.late(now):
            each.time_out()


def _make_room(connections: Collection[Any]) -> bool:
    """Close one that waits for nothing; False where all of them wait."""
    for each in connections:
        if isinstance(each, Connection) and is_silent(each) and not each.transport.is_closing():
            each.transport.close()
            return True
    return False


def _problem(status: HTTPStatus, detail: str) -> bytes:
    said = {"type": "about:blank", "title": status.phrase, "status": status, "detail": detail}
    return json.dumps(said).encode()
