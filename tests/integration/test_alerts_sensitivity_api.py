"""How long it would take to notice a doubling, over HTTP, on real PostgreSQL."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.api import Streams, build_sensitivity
from services.alerts.domain.terms import Policy
from shared.db import open_engine
from shared.keys import KeyFile
from shared.metrics import Registry
from shared.web import Parts, build_web
from tests.support.alerts import LATTICE, AlertsRig
from tests.support.alerts_history import history, play


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(fresh_database_url, schema="alerts") as engine:
        yield engine


@pytest.fixture
async def http(engine: AsyncEngine) -> AsyncIterator[httpx.AsyncClient]:
    streams = Streams(engine, Policy(), LATTICE, lambda: next(clock))
    clock = iter(range(0, 10**6, 1000))  # each question reads them anew
    web = build_web(
        "alerts",
        routers=[build_sensitivity(streams)],
        parts=Parts(),
        registry=Registry(),
        keys=KeyFile(None),
    )
    transport = httpx.ASGITransport(app=web)
    async with httpx.AsyncClient(transport=transport, base_url="http://alerts") as http:
        yield http


@pytest.mark.thorough
async def test_streams_come_busiest_first_page_by_page(
    engine: AsyncEngine, http: httpx.AsyncClient
) -> None:
    assert (await http.get("/v1/sensitivity")).json() == {"items": [], "next": None}
    rig = AlertsRig(engine)
    (alert,) = await play(rig, history())
    query: dict[str, Any] = {"limit": 5, "metric": "nps", "survey": "post-delivery"}
    items: list[dict[str, Any]] = []

    while True:
        page = (await http.get("/v1/sensitivity", params=query)).json()
        items += page["items"]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]

    assert len(items) == 12  # all, two regions, three products, six pairs
    assert items[0]["segment"] == {}
    daily = [item["answers_per_day"] for item in items]
    assert daily == sorted(daily, reverse=True)
    assert daily[0] == pytest.approx(720, rel=0.1)  # thirty an hour
    assert items[0]["notices"] == "yes"
    assert items[0]["baseline"] == pytest.approx(0.1, abs=0.04)
    assert items[0]["days"] < items[-1]["days"]
    assert "would be noticed in about" in items[0]["in_words"]
    around = (await http.get(f"/v1/alerts/{alert.id}/sensitivity")).json()["items"]
    assert {} in [item["segment"] for item in around]
    assert alert.segment in [item["segment"] for item in around]
    assert len(around) < 12


@pytest.mark.thorough
async def test_a_segment_is_asked_for_with_all_that_lies_in_it(
    engine: AsyncEngine, http: httpx.AsyncClient
) -> None:
    await play(AlertsRig(engine), history())

    said = (await http.get("/v1/sensitivity", params={"segment": "region:EU"})).json()["items"]
    one = {"segment": ["region:EU", "product:hats"]}
    pair = (await http.get("/v1/sensitivity", params=one)).json()["items"]
    none = (await http.get("/v1/sensitivity", params={"survey": "other"})).json()["items"]

    assert len(said) == 4
    assert all(item["segment"]["region"] == "EU" for item in said)
    assert [item["segment"] for item in pair] == [{"region": "EU", "product": "hats"}]
    assert none == []


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("metric=NPS", "metric"),
        ("segment=EU", "segment"),
        ("segment=regoin:EU", "segment"),
        ("segment=region:EU&segment=region:US", "segment"),
        ("cursor=nonsense", "cursor"),
        ("limit=0", "limit"),
        ("order=slowest", "order"),
    ],
)
async def test_what_is_not_known_is_refused(
    http: httpx.AsyncClient, query: str, named: str
) -> None:
    reply = await http.get(f"/v1/sensitivity?{query}")

    assert reply.status_code == 422
    assert named in reply.text


async def test_an_alert_that_is_none_has_no_neighbourhood(http: httpx.AsyncClient) -> None:
    assert (await http.get("/v1/alerts/none/sensitivity")).status_code == 404
