"""The questions of contracts section 5, answered from real PostgreSQL."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring.api import Reading, build_routers
from services.scoring.consumer import build_decoders, build_handler
from services.scoring.store import Book, adopt
from shared.db import open_engine
from shared.keys import KeyFile
from shared.programme.metrics import Klass, find_metric
from shared.stream.records import Decoded
from shared.web import Parts, build_web
from tests.support.scoring import LAYOUT, START, invitation, record, response
from tests.support.scoring_history import history, segments_of, winners

NOW = START + timedelta(hours=8, minutes=21)
VALUES = history(1, ids=250)
DECODE = build_decoders(["touchpoint"])


class Nowhere:
    async def send(self, records: Any) -> None:
        """Kafka is not what is tested here."""


async def settle(engine: AsyncEngine, values: list[Any]) -> None:
    handle = build_handler(Book(), Nowhere(), lambda _: None, lambda: START)
    records = [record(value, offset) for offset, value in enumerate(values)]
    items = [Decoded(one, DECODE[one.topic](one)) for one in records]
    async with engine.begin() as connection:
        await handle(items, connection)


def build_client(
    engine: AsyncEngine, now: datetime = NOW, **changes: Any
) -> tuple[httpx.AsyncClient, asyncio.Event]:
    closing = asyncio.Event()
    reading = Reading(engine, LAYOUT.paths, "Europe/Berlin", lambda: now, lambda: 0.25, **changes)
    web = build_web(
        "scoring",
        routers=build_routers(reading, closing),
        parts=Parts(),
        registry=CollectorRegistry(),
        keys=KeyFile(None),
    )
    transport = httpx.ASGITransport(web)
    return httpx.AsyncClient(transport=transport, base_url="http://scoring"), closing


@pytest.fixture(scope="module")
def filled(database_url: str) -> str:
    async def fill() -> None:
        async with open_engine(database_url, schema="scoring") as engine:
            await adopt(engine, LAYOUT)
            await settle(engine, VALUES)

    asyncio.run(fill())
    return database_url


@pytest.fixture
async def client(filled: str) -> AsyncIterator[httpx.AsyncClient]:
    async with open_engine(filled, schema="scoring") as engine:
        opened, _ = build_client(engine)
        async with opened:
            yield opened


async def get(client: httpx.AsyncClient, path: str, **query: Any) -> Any:
    names = {"from_": "from", "klass": "class"}
    query = {names.get(name, name): value for name, value in query.items()}
    reply = await client.get(path, params=query)
    assert reply.status_code == 200, reply.text
    return reply.json()


def expected(
    metric: str, start: datetime, end: datetime, by: tuple[str, ...], where: dict[str, str],
    *, survey: str | None = None, on_event: bool = False,
) -> dict[tuple[str, ...], list[int]]:  # fmt: skip
    """Scores by group, from the records alone."""
    replies, askings = winners(VALUES)
    found: dict[tuple[str, ...], list[int]] = {}
    for key, reply in replies.items():
        asking = askings.get(key)
        segments = segments_of(reply, asking)
        at = asking.event.time if on_event and asking is not None else reply.answered_at
        named = (reply if asking is None else asking).survey
        fits = reply.metric == metric and start <= at < end and survey in (None, named)
        fits = fits and all(segments.get(name) == value for name, value in where.items())
        if fits and all(name in segments for name in (*by, *where)):
            found.setdefault(tuple(segments[name] for name in by), []).append(reply.answers.score)
    return found


CUTS = [(), ("region",), ("product", "region"), ("touchpoint",), ("channel", "region")]
WHERES: list[dict[str, str]] = [{}, {"region": "B"}, {"product": "x"}]
SPANS = [(-400, 500), (7, 13), (0, 120), (23, 311), (59, 61)]


@pytest.mark.parametrize(("by", "where"), list(product(CUTS, WHERES)))
@pytest.mark.parametrize("time", ["answered", "event"])
async def test_scores_equal_a_recount_for_any_bounds(
    client: httpx.AsyncClient, by: tuple[str, ...], where: dict[str, str], time: str
) -> None:
    for (first, last), metric in product(SPANS, ["nps", "csat", "ces"]):
        start, end = START + timedelta(minutes=first), START + timedelta(minutes=last)
        query: dict[str, Any] = {"metric": metric}
        query |= {"from_": start.isoformat(), "to": end.isoformat(), "time": time}
        query |= {"by": ",".join(by)} if by else {}
        query |= {"where": [f"{name}:{value}" for name, value in where.items()]}

        body = await get(client, "/v1/scores", **query)

        scores = expected(metric, start, end, by, where, on_event=time == "event")
        entry = find_metric(metric, {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}[metric])
        told = {tuple(group["segment"][name] for name in by): group for group in body["groups"]}
        assert {key for key, group in told.items() if group["n"]} == set(scores)
        for key, values in scores.items():
            group = told[key]
            classes = [entry.class_of(value) for value in values]
            assert group["n"] == len(values)
            assert group["distribution"] == [values.count(point) for point in entry.points]
            assert group["counts"] == {
                "promoters": classes.count(Klass.PROMOTER),
                "passives": classes.count(Klass.PASSIVE),
                "detractors": classes.count(Klass.DETRACTOR),
            }


async def test_a_reply_has_the_shape_that_was_promised(client: httpx.AsyncClient) -> None:
    body = await get(client, "/v1/scores", metric="nps", window="24h", by="region")

    assert set(body) == {
        "metric", "from", "to", "as_of", "behind_s", "level", "next", "groups",
    }  # fmt: skip
    assert (body["behind_s"], body["level"], body["next"]) == (0.25, 0.95, None)
    assert (body["to"], body["as_of"]) == (body["to"], "2026-11-21T18:21:00Z")
    assert body["from"] == "2026-11-20T18:21:00Z"
    group = body["groups"][0]
    assert set(group) == {
        "segment", "n", "score", "interval", "sufficient", "counts", "distribution", "invited",
        "response_rate", "previous",
    }  # fmt: skip
    low, high = group["interval"]
    assert low <= group["score"] <= high
    assert [one["n"] for one in body["groups"]] == sorted(
        (one["n"] for one in body["groups"]), reverse=True
    )


async def test_ease_has_its_share_beside_the_mean(client: httpx.AsyncClient) -> None:
    (group,) = (await get(client, "/v1/scores", metric="ces"))["groups"]

    assert group["segment"] == {}
    assert 1 <= group["score"] <= 7
    assert group["share_easy"] == 100 * group["counts"]["promoters"] / group["n"]


async def test_nobody_is_null_and_never_zero(client: httpx.AsyncClient) -> None:
    query = {"metric": "nps", "from_": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z"}

    (group,) = (await get(client, "/v1/scores", **query))["groups"]

    assert (group["n"], group["score"], group["interval"]) == (0, None, None)
    assert (group["sufficient"], group["response_rate"], group["previous"]) == (False, None, None)
    assert group["distribution"] == [0] * 11


async def test_the_window_before_stands_beside_each_score(client: httpx.AsyncClient) -> None:
    middle = START + timedelta(minutes=200)
    span = timedelta(minutes=200)
    query = {"metric": "csat", "from_": middle.isoformat(), "to": (middle + span).isoformat()}

    (group,) = (await get(client, "/v1/scores", **query))["groups"]
    (before,) = (
        await get(
            client, "/v1/scores", metric="csat", from_=START.isoformat(), to=middle.isoformat()
        )
    )["groups"]

    previous = group["previous"]
    assert (previous["n"], previous["score"]) == (before["n"], before["score"])
    assert previous["change"] == pytest.approx(group["score"] - before["score"])
    assert 0 < previous["p_value"] <= 1


async def test_the_response_rate_is_answered_of_invited(client: httpx.AsyncClient) -> None:
    replies, askings = winners(VALUES)
    sent = {k: a for k, a in askings.items() if a.status == "sent" and a.metric == "nps"}
    for region in "AB":
        invited = [key for key, asking in sent.items() if asking.segments["region"] == region]

        body = await get(client, "/v1/scores", metric="nps", window="24h", where=f"region:{region}")

        (group,) = body["groups"]
        assert group["invited"] == len(invited)
        answered = sum(key in replies for key in invited)
        assert group["response_rate"] == answered / len(invited)


@pytest.mark.parametrize("bucket", ["1h", "1d", "1w", "1mo", "1q"])
@pytest.mark.parametrize("tz", [None, "Asia/Kolkata"])
async def test_the_points_of_a_trend_add_up_to_its_window(
    client: httpx.AsyncClient, bucket: str, tz: str | None
) -> None:
    query = {"metric": "nps", "by": "region", "bucket": bucket, "window": "7d"}
    query |= {"tz": tz} if tz else {}

    trend = await get(client, "/v1/trend", **query)
    scores = await get(client, "/v1/scores", metric="nps", by="region", window="7d")

    assert {json.dumps(group["segment"]): group["n"] for group in trend["groups"]} == {
        json.dumps(group["segment"]): group["n"] for group in scores["groups"] if group["n"]
    }
    for group in trend["groups"]:
        assert sum(point["n"] for point in group["points"]) == group["n"]
        assert set(group["points"][0]) == {
            "from", "to", "n", "score", "interval", "sufficient", "counts",
        }  # fmt: skip
        assert group["points"][0]["from"] == trend["from"]
        assert group["points"][-1]["to"] == trend["to"]


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


async def test_groups_come_in_pages_that_miss_none(client: httpx.AsyncClient) -> None:
    whole = await get(client, "/v1/scores", metric="nps", by="region,product")
    names: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = await get(client, "/v1/scores", metric="nps", by="region,product", limit=2, **cursor)
        names += [group["segment"] for group in page["groups"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}

    assert names == [group["segment"] for group in whole["groups"]]
    assert len(names) > 2


@pytest.mark.parametrize(
    ("path", "query", "field", "told"),
    [
        ("/v1/scores", {}, "metric", ""),
        ("/v1/scores", {"metric": "stars"}, "metric", "csat"),
        ("/v1/scores", {"metric": "nps", "by": "regoin"}, "by", "region"),
        ("/v1/scores", {"metric": "nps", "by": "colour"}, "by", "channel, product, region"),
        ("/v1/scores", {"metric": "nps", "by": "region,product,channel"}, "by", "at most two"),
        ("/v1/scores", {"metric": "nps", "by": "region,region"}, "by", "each once"),
        (
            "/v1/scores",
            {"metric": "nps", "by": "region,product", "where": ["channel:web", "touchpoint:x"]},
            "by",
            "at most three",
        ),
        ("/v1/scores", {"metric": "nps", "where": "colour:red"}, "where", "channel, product"),
        ("/v1/scores", {"metric": "nps", "where": "region"}, "where", "dimension:value"),
        ("/v1/scores", {"metric": "nps", "where": "region: "}, "where", "dimension:value"),
        ("/v1/scores", {"metric": "nps", "window": "2h"}, "window", "24h"),
        ("/v1/scores", {"metric": "nps", "windwo": "1h"}, "windwo", "window"),
        ("/v1/scores", {"metric": "nps", "from": "yesterday"}, "from", ""),
        ("/v1/scores", {"metric": "nps", "from": "2026-01-01T00:00:00"}, "from", "offset"),
        (
            "/v1/scores",
            {"metric": "nps", "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
            "from",
            "before `to`",
        ),
        ("/v1/scores", {"metric": "nps", "from": "1990-01-01T00:00:00Z"}, "from", "at most"),
        ("/v1/scores", {"metric": "nps", "from": "1890-01-01T00:00:00Z"}, "from", "1971"),
        (
            "/v1/scores",
            {"metric": "nps", "from": "2026-01-01T00:00:00Z", "window": "1h"},
            "window",
            "window, or from and to",
        ),
        ("/v1/scores", {"metric": "nps", "limit": "-1"}, "limit", ""),
        ("/v1/scores", {"metric": "nps", "limit": "501"}, "limit", "500"),
        ("/v1/scores", {"metric": "nps", "cursor": "x"}, "cursor", "page before"),
        ("/v1/trend", {"metric": "nps", "bucket": "5m"}, "bucket", "1h"),
        ("/v1/trend", {"metric": "nps", "tz": "Mars/Olympus"}, "tz", "Europe/Berlin"),
        (
            "/v1/trend",
            {"metric": "nps", "bucket": "1h", "from": "2025-01-01T00:00:00Z"},
            "bucket",
            "longer bucket",
        ),
        ("/v1/responses", {"class": "angry"}, "class", "detractor"),
        ("/v1/responses", {"by": "region"}, "by", ""),
        ("/v1/responses", {"cursor": "WzEsMiwzXQ"}, "cursor", "page before"),
        ("/v1/segments", {"metric": "nps"}, "metric", ""),
    ],
)
async def test_a_bad_question_names_its_fault_and_what_there_is(
    client: httpx.AsyncClient, path: str, query: Any, field: str, told: str
) -> None:
    reply = await client.get(path, params=query)

    assert reply.status_code == 422, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    (fault,) = reply.json()["errors"]
    assert fault["field"] == field
    assert told in fault["accepted"]


async def test_a_plus_sign_that_nobody_escaped_is_understood(client: httpx.AsyncClient) -> None:
    path = "/v1/scores?metric=nps&from=2026-11-21T11:00:00+01:00&to=2026-11-21T12:00:00+01:00"

    reply = await client.get(path)

    assert reply.json()["from"] == "2026-11-21T10:00:00Z"


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


async def test_a_database_that_is_away_is_said_and_not_a_fault_of_ours(filled: str) -> None:
    async with open_engine(filled.replace("5432", "1"), schema="scoring") as engine:
        away = engine.url.set(port=1)
    async with open_engine(away.render_as_string(hide_password=False), schema="scoring") as engine:
        client, _ = build_client(engine)
        async with client:
            reply = await client.get("/v1/scores", params={"metric": "nps"})

    assert reply.status_code == 503
    assert "retry-after" in reply.headers


async def test_a_stream_tells_what_is_and_then_what_changes(fresh_database_url: str) -> None:
    async with open_engine(fresh_database_url, schema="scoring") as engine:
        await adopt(engine, LAYOUT)
        await settle(engine, [response("r-1", 9, segments={"region": "EU"}), invitation("i-9")])
        reading = Reading(engine, LAYOUT.paths, "UTC", lambda: NOW, lambda: 0.0)
        closing = asyncio.Event()
        routers = build_routers(reading, closing)
        (endpoint,) = [
            route.endpoint  # type: ignore[attr-defined]
            for router in routers
            for route in router.routes
            if route.path == "/v1/stream"  # type: ignore[attr-defined]
        ]
        from services.scoring.api.parameters import Cut
        from services.scoring.api.stream import Followed

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
    data = [json.loads(text.decode().split("data: ")[1]) for text in (first, second)]
    assert [one["segment"] for one in data] == [{"region": "EU"}] * 2
    assert [(one["n"], one["score"]) for one in data] == [(1, 100.0), (2, 0.0)]
    assert set(data[0]) == {
        "metric", "survey", "window", "segment", "n", "score", "interval", "as_of",
    }  # fmt: skip
    assert rest == []
