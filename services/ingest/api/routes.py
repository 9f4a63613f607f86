"""Ingest's routes: what the OpenAPI document shows, and what answers behind it."""

from typing import Any, Final

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from services.ingest.api.batch import read_items, take_batch
from services.ingest.api.bodies import (
    BATCH_LIMIT,
    check_plain,
    read_body,
    read_head,
)
from services.ingest.api.events import check_event_media, take_event, take_event_batch
from services.ingest.api.hot import PATH, Submissions
from services.ingest.api.schemas import BATCH_DOC, EVENT_DOC, RESPONSE_DOC, Doc
from services.ingest.handlers.answers import Intake
from services.ingest.handlers.ports import Producer
from shared.cloudevents import BATCH
from shared.keys import require_scope
from shared.web.limits import SINGLE

_encode = msgspec.json.Encoder().encode
_EVENTS: Final = "events:write"
_RESPONSES: Final = "responses:write"


def build_router(intake: Intake, producer: Producer, submissions: Submissions) -> APIRouter:
    """The machine interface. Faults are EarshotErrors, which the web chassis renders."""
    router = APIRouter()

    @router.post(PATH, **_documented(RESPONSE_DOC))
    async def post_response(request: Request) -> Response:
        """Take one answer, in one of three forms.

        Form 1, `token`: the customer's own link; needs no key. Form 2, `invitation_id` and
        `survey`: an invited answer from another channel. Form 3, `survey` or `metric`: uninvited.
        202 once every in-sync replica has it; the same id and content again: the same 202.
        """
        status, headers, body = await submissions.reply(request.scope, request.receive)
        return Response(body, status, {n.decode(): v.decode("latin-1") for n, v in headers})

    @router.post(
        f"{PATH}/batch", dependencies=[Depends(require_scope(_RESPONSES))], **_documented(BATCH_DOC)
    )
    async def post_responses(request: Request) -> Response:
        """Take up to 1,000 answers (JSON array or NDJSON), each accepted or refused on its own."""
        head = read_head(request.scope["headers"])
        check_plain(head)
        body = await read_body(head, request.receive, BATCH_LIMIT)
        items = await take_batch(read_items(head.media_type, body), intake)
        return _json(207, {"items": items, "next": None})

    @router.post(
        "/v1/events", dependencies=[Depends(require_scope(_EVENTS))], **_documented(EVENT_DOC)
    )
    async def post_event(request: Request) -> Response:
        """Take one CloudEvent (structured, binary or bare JSON), or a batch of them."""
        head = read_head(request.scope["headers"])
        check_event_media(head.media_type)
        check_plain(head)
        if head.media_type == BATCH:
            body = await read_body(head, request.receive, BATCH_LIMIT)
            items = await take_event_batch(request.headers, body, producer)
            return _json(207, {"items": items, "next": None})
        body = await read_body(head, request.receive, SINGLE)
        return _json(202, await take_event(request.headers, body, producer))

    return router


def _json(status: int, content: dict[str, Any]) -> Response:
    return Response(_encode(content), status, media_type="application/json")


def _documented(doc: Doc) -> dict[str, Any]:
    return {
        "status_code": doc.status,
        "response_class": Response,
        "responses": doc.responses,
        "openapi_extra": {"requestBody": doc.request},
        "tags": ["ingest"],
    }
