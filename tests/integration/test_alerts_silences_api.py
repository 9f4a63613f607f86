"""Silences over HTTP: listed, in the audit trail, refused with what is accepted."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.alerts.api import build_silences
from tests.support.alerts_silences import EU, HOUR, KNOWN, http, silence
from tests.support.alerts_stage import NOON, Stage, asked_over_http, stage
from tests.support.schemas import check_reply

__all__ = ["http", "stage"]


async def test_silences_are_listed_by_state_and_stand_in_the_audit_trail(
    stage: Stage, http: httpx.AsyncClient
) -> None:
    first = await silence(http, stage)
    later = {"from": (stage.now + HOUR).isoformat(), "to": (stage.now + 2 * HOUR).isoformat()}
    second = await silence(http, stage, maintenance=True, by="bo", **later)
    await http.delete(f"/v1/silences/{first['id']}", params={"by": "bo"})

    by_state = {}
    for state in ("active", "pending", "expired"):
        reply = await http.get("/v1/silences", params={"state": state})
        check_reply(http, reply)
        by_state[state] = [one["id"] for one in reply.json()["items"]]
    audit = (await http.get("/v1/audit")).json()["items"]

    assert by_state == {"active": [], "pending": [second["id"]], "expired": [first["id"]]}
    assert [(one["by"], one["action"], one["subject"]) for one in audit] == [
        ("bo", "silence-ended", first["id"]),
        ("bo", "maintenance-created", second["id"]),
        ("anne", "silence-created", first["id"]),
    ]
    assert audit[2]["detail"]["matchers"]["segment"] == {"region": "EU"}
    assert audit[2]["note"] == "deploy"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"matchers": {"metric": "nsp"}}, "matchers.metric"),
        ({"matchers": {"survey": "post-cal"}}, "matchers.survey"),
        ({"matchers": {"segment": {"regoin": "EU"}}}, "matchers.segment.regoin"),
        ({"matchers": {"segment": {"region": "  "}}}, "matchers.segment.region"),
        ({"matchers": {"segments": {}}}, "matchers.segments"),
        ({"matchers": None}, "matchers"),
        ({"to": NOON.isoformat()}, "to"),
        ({"to": (NOON + timedelta(days=91)).isoformat()}, "to"),
        ({"to": "2300-01-01T00:00:00Z"}, "to"),
        ({"to": "tomorrow"}, "to"),
        ({"by": ""}, "by"),
        ({"until": "x"}, "until"),
    ],
)
async def test_what_is_no_silence_is_refused_with_what_is_accepted(
    changed: dict[str, Any], field: str
) -> None:
    async def ask(http: httpx.AsyncClient) -> httpx.Response:
        times = {"from": NOON.isoformat(), "to": (NOON + HOUR).isoformat()}
        return await http.post("/v1/silences", json=EU | times | changed)

    engine: Any = None  # what is refused reaches no database
    router = build_silences(engine, KNOWN, lambda: NOON)
    async with asked_over_http(router) as http:
        reply = await ask(http)

    assert reply.status_code == 422, reply.text
    (fault,) = reply.json()["errors"]
    assert fault["field"] == field
    assert fault["accepted"]
