"""Whether alerts can be believed, over HTTP: what is promised, and what came."""

import msgspec
from fastapi import APIRouter, Depends, Response
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.domain.promise import Audit
from services.alerts.domain.terms import Policy
from services.alerts.store.audits import read_newest
from shared.keys import require_scope
from shared.web.app import json_response
from shared.web.schemas import replies


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """What is promised now, and the newest audit; None until a day of answers was judged.

    The audit may be of other settings than those of now, until the next night.
    """

    false_alarms_per_week: float
    smallest_rise: float
    audit: Audit | None


def build_promise(engine: AsyncEngine, policy: Policy) -> APIRouter:
    """What is promised, and what came."""
    router = APIRouter(tags=["trust"], dependencies=[Depends(require_scope("alerts:read"))])

    @router.get(
        "/v1/promise",
        summary="False alarms promised, and what the last four weeks gave",
        responses=replies(Promise),
    )
    async def promise() -> Response:
        async with engine.connect() as connection:
            newest = await read_newest(connection)
        said = Promise(
            false_alarms_per_week=policy.false_alarms_per_week,
            smallest_rise=round(100 * policy.smallest_rise, 6),
            audit=newest,
        )
        return json_response(said)

    return router
