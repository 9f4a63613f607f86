"""The audit trail over HTTP: who did what when, and what each change of an alert changed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from pydantic import AwareDatetime, BeforeValidator, Field
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.api.said import FIRST, LAST
from services.alerts.domain.alerts import Alert, Change
from services.alerts.domain.audit import Difference, Entry, differences
from services.alerts.store.alerts import find_alert
from services.alerts.store.audit import Asked, Told, list_entries, read_changes
from shared.errors import NotFound
from shared.keys import require_scope
from shared.web import decode_cursor, page_of
from shared.web.app import json_response
from shared.web.pages import Cursor, Limit, moment_in, not_ours
from shared.web.schemas import page_replies

_Text = Annotated[str | None, Query(min_length=1, max_length=200)]
_Moment = Annotated[
    Annotated[AwareDatetime, Field(ge=FIRST, lt=LAST)] | None,
    # a plus sign that nobody escaped comes as a space
    BeforeValidator(lambda v: v.replace(" ", "+") if isinstance(v, str) else v),
]


class AlertChange(msgspec.Struct, frozen=True, kw_only=True):
    """One revision of an alert. `by` is None where the evidence decided."""

    revision: int
    change: Change
    at: datetime
    by: str | None
    note: str | None
    changed: dict[str, Difference]


@dataclass
class WhichEntries:
    """Which entries are asked for."""

    subject: Annotated[
        _Text, Query(description="the id of an alert or a silence, or a destination")
    ] = None
    by: Annotated[_Text, Query(description="who")] = None
    action: Annotated[_Text, Query(description="such as silence-created")] = None
    from_: Annotated[_Moment, Query(alias="from", description="first moment")] = None
    to: Annotated[_Moment, Query(description="first moment beyond")] = None


def build_audit(engine: AsyncEngine) -> APIRouter:
    """What was done, in the order of time."""
    router = APIRouter(tags=["audit"], dependencies=[Depends(require_scope("alerts:read"))])

    @router.get(
        "/v1/audit", summary="Who did what when, newest first", responses=page_replies(Entry)
    )
    async def entries(
        *, asked: Annotated[WhichEntries, Depends()], limit: Limit = 50, cursor: Cursor = None
    ) -> Response:
        wanted = Asked(asked.subject, asked.by, asked.action, asked.from_, asked.to)
        async with engine.connect() as connection:
            found = await list_entries(connection, wanted, _place(cursor), limit + 1)
        page = page_of(found, limit, lambda one: (one[1].at.isoformat(), one[0]))
        return json_response(msgspec.structs.replace(page, items=[one for _, one in page.items]))

    @router.get(
        "/v1/alerts/{alert_id}/changes",
        summary="Every revision of an alert, oldest first",
        responses=page_replies(AlertChange),
    )
    async def changes(alert_id: str, *, limit: Limit = 50, cursor: Cursor = None) -> Response:
        after = _revision(cursor)
        async with engine.connect() as connection:
            if await find_alert(connection, alert_id) is None:
                raise NotFound("there is no such alert")
            found = await read_changes(connection, alert_id, after, limit + 1)
        page = page_of([_shown(one) for one in found], limit, lambda one: (one.revision,))
        return json_response(page)

    return router


def _shown(told: Told) -> AlertChange:
    change = Change(told.change)
    word = msgspec.convert(told.record, Alert).word_on(change)
    return AlertChange(
        revision=told.revision,
        change=change,
        at=told.at,
        by=word.by if word else None,
        note=word.note if word else None,
        changed=differences(told.before, told.record) if told.before is not None else {},
    )


def _place(cursor: str | None) -> tuple[datetime, int] | None:
    if cursor is None:
        return None
    moment, number = decode_cursor(cursor, 2)
    return moment_in(cursor, moment), _number(cursor, number)


def _revision(cursor: str | None) -> int:
    return 0 if cursor is None else _number(cursor, decode_cursor(cursor, 1)[0])


def _number(cursor: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**31:
        raise not_ours(cursor)
    return value
