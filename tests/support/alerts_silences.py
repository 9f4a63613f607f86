"""Silences over HTTP, and what the destinations of a stage are told."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Final

import httpx
import pytest

from services.alerts.api import Known, build_audit, build_router, build_silences
from tests.support.alerts_stage import Stage, asked_over_http
from tests.support.receivers import Receiver

HOUR: Final = timedelta(hours=1)
KNOWN: Final = Known(("post-delivery", "post-call"), ("region", "product"))
EU: Final = {"by": "anne", "note": "deploy", "matchers": {"segment": {"region": "EU"}}}


@pytest.fixture
async def http(stage: Stage) -> AsyncIterator[httpx.AsyncClient]:
    routers = (
        build_router(stage.engine, {}, stage.clock),
        build_silences(stage.engine, KNOWN, stage.clock),
        build_audit(stage.engine),
    )
    async with asked_over_http(*routers) as http:
        yield http


async def silence(http: httpx.AsyncClient, stage: Stage, **changed: Any) -> dict[str, Any]:
    times = {"from": stage.now.isoformat(), "to": (stage.now + HOUR).isoformat()}
    reply = await http.post("/v1/silences", json=EU | times | changed)
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def told(stage: Stage, receiver: Receiver) -> list[tuple[str, str]]:
    """What each destination was told just now: where, and which message."""
    before = len(receiver.got)
    for _ in range(3):
        for one in stage.deliverings.values():
            await one.turn()
    return sorted(
        (path, headers.get("webhook-id", "")) for path, headers, _ in receiver.got[before:]
    )
