"""The alerts over HTTP, on real PostgreSQL."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.api import build_router
from services.alerts.domain.alerts import Alert, Change, State
from services.alerts.domain.cases import Case, Docket
from services.alerts.domain.deliveries import Way
from services.alerts.store.alerts import write_docket
from shared.db import open_engine
from shared.keys import KeyFile
from shared.metrics import Registry
from shared.web import Parts, build_web
from tests.support.alerts import START, AlertsRig, an_alert, finish, judging, scored
from tests.support.alerts_history import SPIKE_ENDS, history
from tests.support.schemas import check_reply

ANNE = {"by": "anne", "note": "looking"}


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(fresh_database_url, schema="alerts") as engine:
        yield engine


@pytest.fixture
def web(engine: AsyncEngine) -> FastAPI:
    ways = {"hook": Way.EACH_CHANGE}
    router = build_router(engine, ways, lambda: START + timedelta(days=3))
    return build_web(
        "alerts", routers=[router], parts=Parts(), registry=Registry(), keys=KeyFile(None)
    )


@pytest.fixture
async def http(web: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=web)
    async with httpx.AsyncClient(transport=transport, base_url="http://alerts") as http:
        yield http


async def store(engine: AsyncEngine, *alerts: Alert) -> None:
    docket = Docket()
    for alert in alerts:
        docket.put(Case(alert, (0,), 1, alert.n, alert.severity), Change.OPENED)
    async with engine.begin() as connection:
        await write_docket(connection, docket, {})


def many(number: int) -> list[Alert]:
    return [an_alert(id=f"a-{i}", opened_at=START + timedelta(hours=i // 2)) for i in range(number)]


async def test_without_alerts_the_list_is_empty(http: httpx.AsyncClient) -> None:
    reply = await http.get("/v1/alerts")

    assert reply.json() == {"items": [], "next": None, "judged_to": None}


async def test_an_alert_is_answered_as_the_contract_says(
    http: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    await store(engine, an_alert())

    body = (await http.get("/v1/alerts/a-1")).json()

    expected: dict[str, Any] = {
        "state": "open",
        "revision": 1,
        "severity": "critical",
        "segment": {"region": "EU", "product": "shoes"},
        "began_at": "2026-03-02T10:00:00Z",
        "resolved_at": None,
        "n": 84,
        "detractor_rate": {"baseline": 0.14, "current": 0.33, "interval": [0.24, 0.44]},
        "rise": {"points": 19.0, "interval": [9.0, 29.0]},
        "evidence": {"e_value": 5230.0, "false_alarms_per_week": 1.0},
        "slices": [{"segment": {"region": "EU", "product": "shoes"}, "share": 0.87}],
        "also_raised": [],
        "historic": False,
        "top_reasons": [{"reason": "delivery-late", "share": 0.61, "change": 0.4}],
        "sample_comments": ["It came too late."],
        "acknowledged": None,
    }
    assert {name: body[name] for name in expected} == expected


async def test_pages_are_whole_and_newest_first(
    http: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    await store(engine, *many(7))
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 3, "state": "open"}

    while True:
        reply = await http.get("/v1/alerts", params=query)
        check_reply(http, reply)
        page = reply.json()
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]

    assert seen == [f"a-{i}" for i in range(6, -1, -1)]
    assert (await http.get("/v1/alerts", params={"state": "resolved"})).json()["items"] == []


async def test_a_person_acknowledges_then_resolves_and_that_is_told(
    http: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    await store(engine, an_alert())

    seen = (await http.post("/v1/alerts/a-1/acknowledge", json=ANNE)).json()
    closed = (await http.post("/v1/alerts/a-1/resolve", json={"by": "bo"})).json()
    again = await http.post("/v1/alerts/a-1/acknowledge", json=ANNE)

    assert (seen["state"], seen["acknowledged"]["by"], seen["revision"]) == (
        "acknowledged", "anne", 2,
    )  # fmt: skip
    assert (closed["state"], closed["closed"]["by"], closed["revision"]) == ("resolved", "bo", 3)
    assert closed["resolved_at"] is not None
    assert again.status_code == 409
    assert again.json()["detail"] == "the alert is resolved already"
    rig = AlertsRig(engine)
    assert await rig.rows("SELECT change FROM changes ORDER BY seq") == [
        ("opened",), ("acknowledged",), ("resolved",),
    ]  # fmt: skip
    assert await rig.rows("SELECT key FROM deliveries ORDER BY key") == [("a-1:2",), ("a-1:3",)]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/alerts/none/resolve", ANNE, 404),
        ("/v1/alerts/a-1/resolve", {}, 422),
        ("/v1/alerts/a-1/resolve", {"by": ""}, 422),
        ("/v1/alerts/a-1/resolve", {"by": "x", "why": "y"}, 422),
    ],
)
async def test_what_cannot_be_decided_is_refused(
    http: httpx.AsyncClient, engine: AsyncEngine, path: str, body: dict[str, str], status: int
) -> None:
    await store(engine, an_alert())

    assert (await http.post(path, json=body)).status_code == status


@pytest.mark.parametrize(
    "query", ["state=closed", "status=open", "limit=0", "limit=501", "cursor=nonsense"]
)
async def test_a_query_that_is_not_known_is_refused(http: httpx.AsyncClient, query: str) -> None:
    assert (await http.get(f"/v1/alerts?{query}")).status_code == 422


@pytest.mark.parametrize("way", ["resolve", "accept"])
async def test_the_fleet_hears_of_what_a_person_closed(
    http: httpx.AsyncClient, engine: AsyncEngine, way: str
) -> None:
    rig = AlertsRig(engine)
    rig.put(history(until=SPIKE_ENDS))
    await rig.count_all()
    async with judging(rig.judge()) as judge:
        await finish(judge)
        (alert,) = await rig.alerts()
        assert alert.state is State.OPEN

        await http.post(f"/v1/alerts/{alert.id}/{way}", json=ANNE)
        await finish(judge)
        rig.put([scored(500_000, SPIKE_ENDS + timedelta(minutes=20), detractor=False)])
        await rig.count_all()
        await finish(judge)

    # What was resolved is settled; what was accepted is remembered for a while.
    assert await rig.rows("SELECT settled OR holds = '{}' FROM alerts") == [(True,)]
    assert len(await rig.alerts()) == 1  # its streams start afresh: nothing rings at once
