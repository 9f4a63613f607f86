"""`POST /v1/responses` without a framework around it: the one path that must be fast.

It stands before the web application and takes this one route; everything else goes through. The
same route stands in the application too, for the OpenAPI document, and answers alike.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any, Final

import msgspec

from services.ingest.api.bodies import (
    Receive,
    check_json,
    decode_json,
    read_body,
    read_head,
)
from services.ingest.api.gate import Gate
from services.ingest.handlers.answers import Intake
from services.ingest.metrics import REGISTRY
from shared.errors import EarshotError
from shared.failpoints import Point, hit
from shared.web.door import Headers
from shared.web.limits import SINGLE
from shared.web.naming import Named

PATH: Final = "/v1/responses"
SCOPE: Final = "responses:write"

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Reply = tuple[int, tuple[tuple[bytes, bytes], ...], bytes]

_JSON: Final = ((b"content-type", b"application/json"),)
_PROBLEM: Final = (b"content-type", b"application/problem+json")
_NAMED: Final = Named(PATH)
_encode = msgspec.json.Encoder().encode


class Accepted(msgspec.Struct):
    """The reply to one answer that every in-sync replica has."""

    id: str
    status: str = "accepted"


class HotPath:
    """The web application with the fast route before it."""

    def __init__(self, app: App, submissions: "Submissions", headers: Headers) -> None:
        self._app = app
        self._submissions = submissions
        self._headers = tuple(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_plain_submission(scope):
            await self._app(scope, receive, send)
            return
        began, status = perf_counter(), 500
        scope["route"] = _NAMED
        try:
            status, headers, body = await self._submissions.reply(scope, receive)
        finally:
            REGISTRY.http.note(PATH, "POST", status, perf_counter() - began)
        length = (b"content-length", b"%d" % len(body))
        said = [*headers, *self._headers, length]
        await send({"type": "http.response.start", "status": status, "headers": said})
        await send({"type": "http.response.body", "body": body})
        hit(Point.ACKNOWLEDGED)


def _is_plain_submission(scope: Scope) -> bool:
    """A query goes the long way: the application knows no parameter here and names it."""
    if scope["type"] != "http" or scope["path"] != PATH:
        return False
    return scope["method"] == "POST" and not scope["query_string"]


class Submissions:
    """Answers one submission, for the fast route and the documented one alike."""

    def __init__(self, intake: Intake, gate: Gate) -> None:
        self._intake = intake
        self._gate = gate

    async def reply(self, scope: Scope, receive: Receive) -> Reply:
        """Status, headers and body of the answer to one submission."""
        head, counted = read_head(scope["headers"]), False
        try:
            check_json(head)
            body = await read_body(head, receive, SINGLE)
            response = self._intake.read_plain(body)
            submission = decode_json(body) if response is None else None
            if isinstance(submission, dict) and "token" in submission:
                counted = True
                self._gate.customer(scope, submission["token"])
            else:
                self._gate.machine(head.authorization, SCOPE)
            if response is None:
                response = self._intake.read(submission)
            trace = self._intake.trace_of(submission)
            await self._intake.accept(response, trace)
        except EarshotError as error:
            said = self._gate.refused(scope, head.authorization, error, counted=counted)
            return problem(said)
        return 202, _JSON, _encode(Accepted(response.id))


def problem(error: EarshotError) -> Reply:
    """The RFC 9457 reply."""
    extra = [(n.lower().encode(), v.encode("latin-1")) for n, v in error.headers().items()]
    return error.status, (_PROBLEM, *extra), _encode(error.problem())
