"""Destinations over HTTP: which are told, and the way back for one that was disabled."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

import msgspec
import structlog
from fastapi import APIRouter, Depends, Response
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.alerts.api.said import Said
from services.alerts.domain.deliveries import Addressee
from services.alerts.store.destinations import count_waiting, enable, read_disabled
from shared.errors import Conflict, NotFound
from shared.keys import require_scope
from shared.web import Page
from shared.web.app import json_response

_log: Final = structlog.get_logger()


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """Whom alerts are told to. `address` without what may be secret in it."""

    name: str
    address: str
    disabled_at: datetime | None
    detail: str | None
    waiting: int


def build_destinations(
    engine: AsyncEngine, addressees: Mapping[str, Addressee], clock: Callable[[], datetime]
) -> APIRouter:
    """The destinations of the programme."""
    router = APIRouter(tags=["destinations"])

    @router.get(
        "/v1/destinations",
        summary="Who is told of alerts, and who is not any more",
        dependencies=[Depends(require_scope("alerts:read"))],
    )
    async def destinations() -> Response:
        async with engine.connect() as connection:
            waiting = await count_waiting(connection)
            items = [
                await _shown(connection, to, waiting.get(name, 0))
                for name, to in sorted(addressees.items())
            ]
        return json_response(Page(items=items, next=None))

    @router.post(
        "/v1/destinations/{name}/enable",
        summary="It is mended: tell it again, what has waited at once",
        dependencies=[Depends(require_scope("alerts:write"))],
    )
    async def enable_again(name: str, said: Said) -> Response:
        to = addressees.get(name)
        if to is None:
            raise NotFound("there is no such destination")
        now = clock()
        async with engine.begin() as connection:
            if not await enable(connection, to, now):
                raise Conflict("the destination is not disabled")
            waiting = await count_waiting(connection)
            shown = await _shown(connection, to, waiting.get(name, 0))
        word = said.word(now)
        _log.info("destination enabled", destination=name, by=word.by, note=word.note)
        return json_response(shown)

    return router


async def _shown(connection: AsyncConnection, to: Addressee, waiting: int) -> Destination:
    parts = urlsplit(to.url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    place = f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")
    disabled = await read_disabled(connection, to)
    return Destination(
        name=to.name,
        address=place,
        disabled_at=disabled.at if disabled else None,
        detail=disabled.detail if disabled else None,
        waiting=waiting,
    )
