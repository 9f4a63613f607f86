"""A page of one question leads nowhere in another."""

from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one application for all


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
