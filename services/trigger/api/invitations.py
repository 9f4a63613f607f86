"""`GET /v1/invitations`: whom we asked, by which channel, and how that ended."""

from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import RowMapping

from services.trigger.domain.invitations import Invitation, Status
from services.trigger.store.queries import Queries
from services.trigger.store.rows import read_invitation, read_record
from shared.errors import EarshotError, NotFound
from shared.keys import KeyFile, require_scope
from shared.web import Page, decode_place, page_of
from shared.web.app import json_response
from shared.web.pages import Cursor, Limit
from shared.wire import as_mapping

Link = Callable[[Invitation], str]
_OWN: Final = (
    *("send_at", "attempts", "detail", "created_at"),
    *("basis", "experiment", "variant", "reminder_of", "reminders"),
)
Text = Annotated[str | None, Query(min_length=1, max_length=500)]


def build_invitations(queries: Queries, link: Link) -> APIRouter:
    """Invitations as a list and one by one."""
    router = APIRouter(
        tags=["invitations"], dependencies=[Depends(require_scope("invitations:read"))]
    )

    @router.get("/v1/invitations", summary="Invitations, newest first")
    async def invitations(
        *,
        customer_id: Text = None,
        status: Annotated[Status | None, Query()] = None,
        channel: Text = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        where = {"customer_id": customer_id, "status": status}
        named = {name: value for name, value in where.items() if value is not None}
        rows = await queries.invitations(named, channel, decode_place(cursor), limit)
        page = page_of(rows, limit, lambda row: (row["created_at"].isoformat(), row["id"]))
        return json_response(Page(items=[_shown(row) for row in page.items], next=page.next))

    @router.get("/v1/invitations/{invitation_id}", summary="One invitation")
    async def invitation(request: Request, invitation_id: str) -> Response:
        row = await queries.invitation(invitation_id)
        if row is None:
            raise NotFound("there is no such invitation")
        shown = _shown(row)
        if _may_see_link(request):
            shown["link"] = link(read_invitation(row))
        return json_response(shown)

    return router


def _shown(row: RowMapping) -> dict[str, Any]:
    plain = dict(as_mapping(read_record(row)))
    own = {name: row[name] for name in _OWN}
    own["channels"] = list(row["channels"])
    del plain["schema"]
    return plain | own


def _may_see_link(request: Request) -> bool:
    keys: KeyFile = request.app.state.keys
    if not keys.asked:
        return True
    try:
        keys.check(request.headers.get("authorization"), "invitations:link")
    except EarshotError:
        return False
    return True
