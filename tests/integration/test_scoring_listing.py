"""The answers behind a score, and the values that dimensions take."""

from datetime import datetime
from typing import Any

import httpx
import pytest

from services.scoring.consumer import build_handler
from services.scoring.store import Book, adopt
from shared.db import open_engine
from shared.stream.records import Decoded
from tests.support.scoring import LAYOUT, START, record, response
from tests.support.scoring_api import DECODE, VALUES, Nowhere, build_client, get
from tests.support.scoring_history import segments_of, winners

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one application for all


async def test_a_group_leads_to_its_answers_newest_first_page_by_page(
    client: httpx.AsyncClient,
) -> None:
    query = {"metric": "nps", "class": "detractor", "where": "region:B", "limit": 7}
    items: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = await get(client, "/v1/responses", **query, **cursor)
        assert len(page["items"]) <= 7
        items += page["items"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}

    (group,) = (await get(client, "/v1/scores", metric="nps", where="region:B"))["groups"]
    assert len(items) == group["counts"]["detractors"] > 7
    assert {one["class"] for one in items} == {"detractor"}
    assert len({one["id"] for one in items}) == len(items)
    assert [one["answered_at"] for one in items] == sorted(
        (one["answered_at"] for one in items), reverse=True
    )
    assert set(items[0]) >= {
        "id", "survey", "metric", "score", "class", "segments", "touchpoint", "reasons",
        "comment", "language", "customer_id", "answered_at",
    }  # fmt: skip


async def test_answers_are_found_by_reason_and_by_text(client: httpx.AsyncClient) -> None:
    replies, _ = winners(VALUES)
    late = sum("late" in reply.answers.reasons for reply in replies.values())
    quoted = sum(reply.answers.comment is not None for reply in replies.values())

    by_reason = await get(client, "/v1/responses", reason="late", limit=500)
    by_text = await get(client, "/v1/responses", q='A "B" \\', limit=500)
    by_wildcard = await get(client, "/v1/responses", q="%", limit=500)

    assert len(by_reason["items"]) == late > 0
    assert len(by_text["items"]) == quoted > 0
    assert by_wildcard["items"] == []


async def test_dimensions_list_their_values(client: httpx.AsyncClient) -> None:
    replies, askings = winners(VALUES)
    regions: dict[str, list[datetime]] = {}
    for key, reply in replies.items():
        region = segments_of(reply, askings.get(key)).get("region")
        regions.setdefault(region or "", []).append(reply.answered_at)

    body = await get(client, "/v1/segments")

    listed = {one["dimension"]: one for one in body["items"]}
    assert set(listed) == set(LAYOUT.paths)
    assert body["next"] is None
    assert {
        one["value"]: (one["n"], datetime.fromisoformat(one["last_answered_at"]))
        for one in listed["region"]["values"]
    } == {name: (len(times), max(times)) for name, times in regions.items() if name}
    assert listed["region"]["other"] == 0


async def test_dimensions_come_page_by_page(client: httpx.AsyncClient) -> None:
    whole = (await get(client, "/v1/segments"))["items"]
    paged: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = await get(client, "/v1/segments", limit=2, **cursor)
        assert len(page["items"]) <= 2
        paged += page["items"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}

    assert paged == whole
    for wrong in ({"limit": "0"}, {"limit": "501"}, {"cursor": "x"}, {"cursor": "WyJub25lIl0"}):
        assert (await client.get("/v1/segments", params=wrong)).status_code == 422


async def test_a_full_dimension_agrees_from_counts_and_from_answers(
    fresh_database_url: str,
) -> None:
    values = [
        response(f"r-{n}", n % 11, segments={"region": f"R{n % 7}", "channel": f"C{n % 2}"})
        for n in range(70)
    ]
    async with open_engine(fresh_database_url, schema="scoring") as engine:
        await adopt(engine, LAYOUT, values_at_most=4)
        book = Book(values_at_most=4)
        handle = build_handler(book, Nowhere(), lambda _: None, lambda: START)
        records = [record(value, offset) for offset, value in enumerate(values)]
        async with engine.begin() as connection:
            await handle([Decoded(one, DECODE[one.topic](one)) for one in records], connection)
        client, _ = build_client(engine, values_at_most=4)
        async with client:
            counted = await get(client, "/v1/scores", metric="nps", by="region")
            edges = await get(client, "/v1/scores", metric="nps", by="region", time="event")
            pair = await get(client, "/v1/scores", metric="nps", by="region,channel")
            listed = await get(client, "/v1/segments")

    assert counted["groups"] == edges["groups"]
    sizes = {one["segment"]["region"]: one["n"] for one in counted["groups"]}
    assert sizes == {"other": 30, "R0": 10, "R1": 10, "R2": 10, "R3": 10}
    assert sum(one["n"] for one in pair["groups"]) == 70
    regions = next(one for one in listed["items"] if one["dimension"] == "region")
    assert (len(regions["values"]), regions["other"]) == (4, 30)
