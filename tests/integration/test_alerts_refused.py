"""Bad input to the routes of alerts: refused with the field named, never a fault of ours."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.alerts.api.alerts import build_router
from services.alerts.api.asked import Known
from services.alerts.api.audit import build_audit
from services.alerts.api.destinations import build_destinations
from services.alerts.api.silences import build_silences
from tests.support.alerts_stage import Stage, asked_over_http, stage

__all__ = ["stage"]
SILENCE = {"matchers": {}, "to": "2199-01-01T00:00:00Z", "by": "anne"}


@pytest.fixture
async def http(stage: Stage) -> AsyncIterator[httpx.AsyncClient]:
    stage.add("hook", "http://127.0.0.1:9", "webhook")
    routers = (
        build_router(stage.engine, {}, stage.clock),
        build_destinations(stage.engine, {"hook": stage.deliverings["hook"].to}, stage.clock),
        build_silences(stage.engine, Known(("post-delivery",), ("region",)), stage.clock),
        build_audit(stage.engine),
    )
    async with asked_over_http(*routers) as client:
        yield client


@pytest.mark.parametrize("by", ["", "  ", "\t", "\x00", None, 5])
async def test_who_decides_has_a_name(http: httpx.AsyncClient, by: Any) -> None:
    for path in ("/v1/alerts/a-1/acknowledge", "/v1/destinations/hook/dead-letters/drop"):
        reply = await http.post(path, json={"by": by})
        assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, "by")


@pytest.mark.parametrize(
    ("way", "path", "field", "body"),
    [
        ("GET", "/v1/audit?from=0001-01-01T00:00:00%2B14:00", "from", None),
        ("GET", "/v1/audit?to=9999-12-31T23:59:59-14:00", "to", None),
        ("DELETE", "/v1/silences/s-1?by=%20", "by", None),
        ("POST", "/v1/silences", "maintenance", {**SILENCE, "maintenance": "yes"}),
        (
            "POST", "/v1/destinations/hook/dead-letters/retry", "alert_id",
            {"by": "anne", "alert_id": "\x00"},
        ),
    ],
)  # fmt: skip
async def test_a_fault_names_its_field(
    http: httpx.AsyncClient, way: str, path: str, field: str, body: Any
) -> None:
    reply = await http.request(way, path, json=body)

    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, field)
