"""A page of one question leads nowhere in another."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from shared.db import open_engine
from tests.support.scoring_api import build_client, fill


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


async def test_a_cursor_of_another_question_is_not_taken(client: httpx.AsyncClient) -> None:
    query: dict[str, Any] = {"metric": "nps", "by": "region", "limit": 1, "window": "24h"}
    following = (await client.get("/v1/scores", params=query)).json()["next"]

    own = await client.get("/v1/scores", params=query | {"cursor": following})
    changed = [{"by": "product"}, {"metric": "csat"}, {"window": "7d"}, {"where": "channel:web"}]
    others = [
        await client.get("/v1/scores", params=query | one | {"cursor": following})
        for one in changed
    ]

    assert own.status_code == 200
    assert [reply.status_code for reply in others] == [422] * 4
    assert {reply.json()["errors"][0]["field"] for reply in others} == {"cursor"}
