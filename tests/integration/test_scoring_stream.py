"""Scores as they change, and a database that is away."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring.api import Reading, build_routers
from services.scoring.api.parameters import Cut
from services.scoring.api.stream import Followed
from services.scoring.store import adopt
from services.scoring.store.reader import Reader
from shared.db import open_engine
from tests.support.scoring import LAYOUT, invitation, response
from tests.support.scoring_api import NOW, build_client, fill, settle


@pytest.fixture(scope="module")
def filled(database_url: str) -> str:
    fill(database_url)
    return database_url


@pytest.fixture
async def client(filled: str) -> AsyncIterator[httpx.AsyncClient]:
    async with open_engine(filled, schema="scoring") as engine:
        opened, _ = build_client(engine)
        async with opened:
            yield opened


async def test_a_database_that_is_away_is_said_and_not_a_fault_of_ours(filled: str) -> None:
    async with open_engine(filled.replace("5432", "1"), schema="scoring") as engine:
        away = engine.url.set(port=1)
    async with open_engine(away.render_as_string(hide_password=False), schema="scoring") as engine:
        client, _ = build_client(engine)
        async with client:
            reply = await client.get("/v1/scores", params={"metric": "nps"})

    assert reply.status_code == 503
    assert "retry-after" in reply.headers


def stream_of(engine: AsyncEngine, closing: asyncio.Event) -> Any:
    reading = Reading(Reader(engine), LAYOUT.paths, "UTC", lambda: NOW, lambda: 0.0)
    (route,) = [
        route
        for router in build_routers(reading, closing)
        for route in router.routes
        if route.path == "/v1/stream"  # type: ignore[attr-defined]
    ]
    return route.endpoint  # type: ignore[attr-defined]


def told(text: bytes) -> Any:
    return json.loads(text.decode().split("data: ")[1])


async def test_a_stream_tells_what_is_and_then_what_changes(fresh_database_url: str) -> None:
    async with open_engine(fresh_database_url, schema="scoring") as engine:
        await adopt(engine, LAYOUT)
        await settle(engine, [response("r-1", 9, segments={"region": "EU"}), invitation("i-9")])
        closing = asyncio.Event()
        endpoint = stream_of(engine, closing)
        reply = await endpoint("nps", Cut(), Followed(window="24h", by="region"))
        stream = aiter(reply.body_iterator)
        greeting = await anext(stream)
        first = await anext(stream)
        await settle(engine, [response("r-2", 0, segments={"region": "EU"})])
        second = await anext(stream)
        closing.set()
        rest = [chunk async for chunk in stream]

        seen = first.decode().splitlines()[1].removeprefix("id: ")
        again = await endpoint("nps", Cut(), Followed(window="24h", by="region"), seen)
        closing.set()
        await anext(aiter(again.body_iterator))

    assert greeting.startswith(b":")
    assert first.startswith(b"event: score\nid: ")
    data = [told(first), told(second)]
    assert [one["segment"] for one in data] == [{"region": "EU"}] * 2
    assert [(one["n"], one["score"]) for one in data] == [(1, 100.0), (2, 0.0)]
    assert set(data[0]) == {
        "metric", "survey", "window", "segment", "n", "score", "interval", "sufficient",
        "as_of", "behind_s",
    }  # fmt: skip
    assert rest == []


@pytest.mark.thorough
async def test_a_stream_tells_of_a_group_that_nobody_is_left_in(fresh_database_url: str) -> None:
    later = NOW - timedelta(minutes=1)
    async with open_engine(fresh_database_url, schema="scoring") as engine:
        await adopt(engine, LAYOUT)
        await settle(engine, [response("r-1", 9, segments={"region": "EU"})])
        reply = await stream_of(engine, asyncio.Event())("nps", Cut(), Followed(by="region"))
        stream = aiter(reply.body_iterator)
        first = [await anext(stream), await anext(stream)][1]
        await settle(engine, [response("r-1", 9, segments={"region": "US"}, answered_at=later)])
        moved = [told(await anext(stream)), told(await anext(stream))]
        await stream.aclose()

    assert told(first)["segment"] == {"region": "EU"}
    assert {one["segment"]["region"]: one["n"] for one in moved} == {"EU": 0, "US": 1}
