"""From a group to its answers: exact in either order, however rare the group, page by page."""

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa

from services.scoring.store import adopt, listing
from shared.db import open_engine
from tests.support.scoring import LAYOUT, START, invitation, response
from tests.support.scoring_api import NOW, VALUES, build_client, get, settle
from tests.support.scoring_history import segments_of, winners

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one application for all


COMMENTS = {
    "r-percent": "It was 100% a_b, see C:\\Temp",
    "r-street": "Ärger in der Straße",
    "r-city": "İstanbul",
    "r-thai": "บริการดีมาก จัดส่งเร็ว",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def commented(filled: str) -> None:
    """These comments are among the answers too."""
    async with open_engine(filled, schema="scoring") as engine:
        said = [response(key, metric="ces", score=7, comment=c) for key, c in COMMENTS.items()]
        await settle(engine, said)


@pytest.fixture(params=[10, 10_000], ids=["by-index", "in-order"])
def looked_through(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "LOOKED_THROUGH", request.param)


def placed(key: str, order: str) -> datetime:
    replies, askings = winners(VALUES)
    asking = askings.get(key)
    by_event = order == "event" and asking is not None
    at: datetime = asking.event.time if by_event and asking else replies[key].answered_at
    return at


@pytest.mark.usefixtures("looked_through")
@pytest.mark.parametrize("order", ["answered", "event"])
@pytest.mark.parametrize("where", [{"region": "B"}, {"region": "A", "product": "x"}])
async def test_pages_hold_each_answer_of_the_group_once_in_order(
    client: httpx.AsyncClient, order: str, where: dict[str, str]
) -> None:
    replies, askings = winners(VALUES)
    window = (NOW - timedelta(days=30), NOW)
    wanted = [
        key
        for key, reply in replies.items()
        if where.items() <= segments_of(reply, askings.get(key)).items()
        and window[0] <= placed(key, order) < window[1]
    ]
    wanted.sort(key=lambda key: (placed(key, order), key), reverse=True)

    found: list[str] = []
    query = {"where": [f"{k}:{v}" for k, v in where.items()], "time": order, "limit": 7}
    cursor: dict[str, str] = {}
    while True:
        page = await get(client, "/v1/responses", **query, **cursor)
        found += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}

    assert found == wanted
    assert len(found) > 7


async def test_lists_say_how_fresh_they_are(client: httpx.AsyncClient) -> None:
    first = await get(client, "/v1/responses", limit=1)
    second = await get(client, "/v1/responses", limit=1, cursor=first["next"])
    segments = await get(client, "/v1/segments")

    for body in (first, second, segments):
        assert datetime.fromisoformat(body["as_of"]) == NOW
        assert body["behind_s"] == 0.25


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("100%", ["r-percent"]),
        ("a_b", ["r-percent"]),
        ("a.b", []),
        ("c:\\temp", ["r-percent"]),
        ("STRASSE", ["r-street"]),
        ("straße", ["r-street"]),
        ("ärger", ["r-street"]),
        ("A\u0308RGER", ["r-street"]),
        ("İSTANBUL", ["r-city"]),
        ("istanbul", []),
        ("ดีมาก", ["r-thai"]),
        ("จัดส่ง", ["r-thai"]),
    ],
)
@pytest.mark.usefixtures("commented")
async def test_text_is_found_as_it_is_written_in_either_case(
    client: httpx.AsyncClient, q: str, found: list[str]
) -> None:
    body = await get(client, "/v1/responses", q=q, metric="ces")

    assert [item["id"] for item in body["items"]] == found


async def test_the_group_other_leads_to_the_answers_that_count_in_it(
    fresh_database_url: str,
) -> None:
    values = [response(f"r-{n}", 9, segments={"region": f"R{n % 7}"}) for n in range(70)]
    async with open_engine(fresh_database_url, schema="scoring") as engine:
        await adopt(engine, LAYOUT, values_at_most=4)
        await settle(engine, values)
        async with engine.begin() as work:  # as if they had come when it was full
            await work.execute(sa.text("DELETE FROM dimension_values WHERE value > 'R3'"))
        client, _ = build_client(engine, values_at_most=4)
        async with client:
            other = await get(client, "/v1/responses", where="region:other", limit=100)
            known = await get(client, "/v1/responses", where="region:R1", limit=100)

    assert {one["segments"]["region"] for one in other["items"]} == {"R4", "R5", "R6"}
    assert (len(other["items"]), len(known["items"])) == (30, 10)


async def test_an_invited_answer_shows_when_its_event_was(fresh_database_url: str) -> None:
    values = [invitation("i-1"), response("r-1", invitation_id="i-1"), response("r-2")]
    async with open_engine(fresh_database_url, schema="scoring") as engine:
        await adopt(engine, LAYOUT)
        await settle(engine, values)
        client, _ = build_client(engine)
        async with client:
            body = await get(client, "/v1/responses")

    times = {item["id"]: item["event_at"] for item in body["items"]}
    assert times["r-2"] is None
    assert datetime.fromisoformat(times["i-1"]) == START
