"""Alerts over HTTP: read, acknowledge, resolve, accept as the new normal."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.api.said import Said
from services.alerts.domain.alerts import Alert, Change, Over, State
from services.alerts.domain.facts import Word
from services.alerts.domain.silences import silenced_by
from services.alerts.store.alerts import find_alert, list_alerts, write_by_hand
from services.alerts.store.announcing import Ways
from services.alerts.store.lines import newest_of, read_judged
from services.alerts.store.silences import read_lasting
from shared.errors import Conflict, NotFound
from shared.keys import require_scope
from shared.web import decode_place, page_of
from shared.web.app import json_response
from shared.web.pages import Cursor, Limit
from shared.web.schemas import replies

Decide = Callable[[Alert, Word, datetime], Alert]


class AlertPage(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts, and the event time up to which alarms were looked for."""

    items: list[Alert]
    next: str | None
    judged_to: datetime | None


def build_router(engine: AsyncEngine, ways: Ways, clock: Callable[[], datetime]) -> APIRouter:
    """The alerts; `ways` says who hears of what a person decides."""
    router = APIRouter(tags=["alerts"])

    @router.get(
        "/v1/alerts",
        summary="Alerts, the one that opened last first",
        responses=replies(AlertPage),
        dependencies=[Depends(require_scope("alerts:read"))],
    )
    async def alerts(
        *,
        state: Annotated[State | None, Query()] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        now = clock()
        async with engine.begin() as connection:
            judged_to = await read_judged(connection)
            silences = await read_lasting(connection, now)
            read = await list_alerts(connection, state, decode_place(cursor), limit + 1)
        found = [alert.silenced(silenced_by(alert, silences, now)) for alert in read]
        page = page_of(found, limit, lambda alert: (alert.opened_at.isoformat(), alert.id))
        return json_response(AlertPage(items=list(page.items), next=page.next, judged_to=judged_to))

    @router.get(
        "/v1/alerts/{alert_id}",
        summary="One alert",
        responses=replies(Alert),
        dependencies=[Depends(require_scope("alerts:read"))],
    )
    async def one(alert_id: str) -> Response:
        now = clock()
        async with engine.begin() as connection:
            alert = _known(await find_alert(connection, alert_id))
            silences = await read_lasting(connection, now)
        return json_response(alert.silenced(silenced_by(alert, silences, now)))

    async def decide(alert_id: str, said: Said, change: Change, how: Decide) -> Response:
        async with engine.begin() as connection:
            alert = _known(await find_alert(connection, alert_id, lock=True))
            at = await newest_of(connection, alert.line)
            now = clock()
            word = said.word(now)
            try:
                decided = how(alert, word, min(at or now, now))
            except Over as over:
                raise Conflict(str(over)) from None
            await write_by_hand(connection, decided, change, ways)
        return json_response(decided)

    writing: dict[str, Any] = {
        "dependencies": [Depends(require_scope("alerts:write"))],
        "responses": replies(Alert),
    }

    @router.post("/v1/alerts/{alert_id}/acknowledge", summary="Somebody looks", **writing)
    async def acknowledge(alert_id: str, said: Said) -> Response:
        return await decide(alert_id, said, Change.ACKNOWLEDGED, lambda a, w, _: a.acknowledge(w))

    @router.post("/v1/alerts/{alert_id}/resolve", summary="It is over", **writing)
    async def resolve(alert_id: str, said: Said) -> Response:
        return await decide(
            alert_id, said, Change.RESOLVED, lambda a, w, at: a.end(State.RESOLVED, at, w.at, w)
        )

    @router.post("/v1/alerts/{alert_id}/accept", summary="It is the new normal", **writing)
    async def accept(alert_id: str, said: Said) -> Response:
        return await decide(
            alert_id, said, Change.ACCEPTED, lambda a, w, at: a.end(State.ACCEPTED, at, w.at, w)
        )

    return router


def _known(alert: Alert | None) -> Alert:
    if alert is None:
        raise NotFound("there is no such alert")
    return alert
