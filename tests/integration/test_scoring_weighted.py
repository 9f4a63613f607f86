"""Scores weighted by the events that are known: a region that answers seldom is heard in full."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.scoring.store import adopt
from shared.db import open_engine
from tests.support.scoring import LAYOUT, START, decision, response
from tests.support.scoring_api import get, opened_client, settle

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one application for all

WINDOW = "24h"
ANSWERS = {("EU", "shoes"): [10] * 40, ("US", "shoes"): [0] * 10, ("EU", "hats"): [9] * 6}
EVENTS = {("EU", "shoes"): 50, ("US", "shoes"): 50, ("EU", "hats"): 12}


def told() -> list[Any]:
    found: list[Any] = []
    for (region, product), scores in ANSWERS.items():
        segments = {"region": region, "product": product}
        found += [
            response(f"{region}-{product}-{number}", score, segments=segments, answered_at=START)
            for number, score in enumerate(scores)
        ]
    for (region, product), events in EVENTS.items():
        segments = {"region": region, "product": product}
        found += [
            decision(f"{region}-{product}-{number}", segments=segments, event_time=START)
            for number in range(events)
        ]
    kiosk = {"product": "kiosk"}
    return [*found, *(response(f"k-{n}", 9, segments=kiosk, answered_at=START) for n in range(9))]


@pytest.fixture(scope="module")
def filled(database_url: str) -> str:
    async def work() -> None:
        async with open_engine(database_url, schema="scoring") as engine:
            await adopt(engine, LAYOUT)
            await settle(engine, told())

    asyncio.run(work())
    return database_url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(filled: str) -> AsyncIterator[httpx.AsyncClient]:
    async with opened_client(filled) as client:
        yield client


async def groups(client: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    reply = await get(client, "/v1/scores", metric="nps", window=WINDOW, **query)
    return {"/".join(one["segment"].values()): one for one in reply["groups"]}


async def test_each_stratum_counts_by_its_events(client: httpx.AsyncClient) -> None:
    found = await groups(client, by="product", weight="region")

    shoes = found["shoes"]
    assert shoes["score"] == pytest.approx(100 * (40 - 10) / 50)
    assert shoes["weighted"]["score"] == pytest.approx(0)  # half of all events, all of them unhappy
    assert shoes["weighted"]["known"] == 100
    assert shoes["weighted"]["effective_n"] == pytest.approx(1 / (0.25 / 40 + 0.25 / 10))
    low, high = shoes["weighted"]["interval"]
    assert low < 0 < high
    assert high - low > shoes["interval"][1] - shoes["interval"][0]


async def test_what_nothing_is_known_of_is_not_weighted(client: httpx.AsyncClient) -> None:
    found = await groups(client, by="product", weight="region")

    assert found["kiosk"]["n"] == 9
    assert found["kiosk"]["weighted"] is None


async def test_without_by_and_within_where(client: httpx.AsyncClient) -> None:
    whole = (await groups(client, where="product:shoes", weight="region"))[""]

    assert whole["weighted"]["score"] == pytest.approx(0)
    assert whole["weighted"]["uncovered"] == 0


async def test_only_who_asks_for_weights_is_told_them(client: httpx.AsyncClient) -> None:
    assert "weighted" not in (await groups(client, by="product"))["shoes"]


@pytest.mark.parametrize(
    ("query", "accepted"),
    [
        ({"weight": "colour"}, "dimensions: channel, product, region, touchpoint"),
        ({"weight": "region,region"}, "each once"),
        ({"by": "region", "weight": "region"}, "neither by nor where"),
        ({"by": "region,product", "weight": "channel,touchpoint"}, "at most three dimensions"),
    ],
)
async def test_strata_that_cannot_be_are_named(
    client: httpx.AsyncClient, query: dict[str, str], accepted: str
) -> None:
    reply = await client.get("/v1/scores", params={"metric": "nps", **query})

    assert reply.status_code == 422
    (error,) = reply.json()["errors"]
    assert error["field"] == "weight"
    assert accepted in error["accepted"]
