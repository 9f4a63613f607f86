"""`GET /v1/reasons` equals a recount by hand, whatever came late, twice or anew."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import product
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.scoring.store import adopt
from shared.db import open_engine
from shared.events import SurveyResponse
from shared.programme.metrics import Klass, find_metric
from tests.support.scoring import LAYOUT, START, invitation, response
from tests.support.scoring_api import VALUES, build_client, get, settle
from tests.support.scoring_history import SCALES, segments_of, winners

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one application for all

PLURAL = {
    Klass.PROMOTER: "promoters",
    Klass.PASSIVE: "passives",
    Klass.DETRACTOR: "detractors",
}


@pytest_asyncio.fixture(loop_scope="module")
async def told(fresh_database_url: str) -> AsyncIterator[Any]:
    """Settle answers, ask about them."""
    async with open_engine(fresh_database_url, schema="scoring") as engine:
        await adopt(engine, LAYOUT)
        opened, _ = build_client(engine)
        async with opened:

            async def ask(values: list[Any], **query: Any) -> Any:
                await settle(engine, values)
                return await get(opened, "/v1/reasons", **({"metric": "nps"} | query))

            yield ask


BYS: list[tuple[str, ...]] = [(), ("region",), ("product", "region"), ("channel", "region")]


async def test_reasons_equal_a_recount(client: httpx.AsyncClient) -> None:
    for metric, time, by in product(SCALES, ["answered", "event"], BYS):
        await check(client, by, time, metric)


async def check(client: httpx.AsyncClient, by: tuple[str, ...], time: str, metric: str) -> None:
    start, end = START - timedelta(minutes=7), START + timedelta(minutes=311)
    replies, askings = winners(VALUES)
    entry = find_metric(metric, SCALES[metric])
    n: Counter[Any] = Counter()
    counts: Counter[Any] = Counter()
    for key, reply in replies.items():
        asking = askings.get(key)
        segments = segments_of(reply, asking)
        at = asking.event.time if time == "event" and asking is not None else reply.answered_at
        if reply.metric == metric and start <= at < end and all(name in segments for name in by):
            place = (
                tuple(segments[name] for name in by),
                PLURAL[entry.class_of(reply.answers.score)],
            )
            n[place] += 1
            counts.update((*place, reason) for reason in set(reply.answers.reasons))
    query: dict[str, Any] = {"from_": start.isoformat(), "to": end.isoformat(), "time": time}
    query |= {"by": ",".join(by)} if by else {}

    body = await get(client, "/v1/reasons", metric=metric, **query)

    found_n, found = Counter[Any](), Counter[Any]()
    for group in body["groups"]:
        segment = tuple(group["segment"][name] for name in by)
        for klass, name in PLURAL.items():
            found_n[segment, name] = group["classes"][klass]["n"]
            for one in group["reasons"]:
                found[segment, name, one["reason"]] = one["counts"][name]
    assert +found_n == n
    assert +found == counts
    assert n


def crowd() -> list[SurveyResponse]:
    """40 detractors, 20 passives and 50 promoters who say why; 85 who do not."""
    wanted = {
        (3, ("late",)): 20, (3, ("late", "rude", "late")): 10, (3, ("price",)): 10, (3, ()): 5,
        (7, ("late",)): 6, (7, ("rude",)): 2, (7, ("rude", "late")): 2, (7, ("price",)): 10,
        (7, ()): 30, (9, ("late",)): 2, (9, ("price",)): 48, (9, ()): 50,
    }  # fmt: skip
    return [
        response(f"r-{score}-{'-'.join(reasons)}-{number}", score, reasons=reasons)
        for (score, reasons), count in wanted.items()
        for number in range(count)
    ]


async def test_the_example_in_the_documentation_over_http(told: Any) -> None:
    body = await told(crowd())

    assert (body["behind_s"], body["level"], body["next"]) == (0.25, 0.95, None)
    (group,) = body["groups"]
    assert set(group) == {
        "segment", "n", "with_reasons", "classes", "reasons", "truncated", "other_reasons",
        "overlap", "drop_off_risk",
    }  # fmt: skip
    assert (group["n"], group["with_reasons"], group["truncated"]) == (195, 110, False)
    assert group["classes"]["passive"] == {"n": 50, "with_reasons": 20}
    price, late, rude = group["reasons"]
    assert [price["reason"], late["reason"], rude["reason"]] == ["price", "late", "rude"]
    assert late["counts"] == {"promoters": 2, "passives": 8, "detractors": 30}
    assert late["rank"] == {"promoters": 2, "passives": 2, "detractors": 1}
    assert late["shares"]["passives"]["share"] == 0.4
    assert late["drop_off_risk"] == late["shares"]["passives"]
    assert (price["detractors_reason"], price["drop_off_risk"]) == (False, None)
    assert group["drop_off_risk"]["reasons"] == ["late", "rude"]
    assert group["drop_off_risk"]["share"] == 0.5
    assert (group["drop_off_risk"]["count"], group["drop_off_risk"]["n"]) == (10, 20)
    assert group["drop_off_risk"]["sufficient"] is False
    low, high = group["drop_off_risk"]["interval"]
    assert 0.29 < low < 0.5 < high < 0.71
    assert group["overlap"] == pytest.approx(8 / 22 + 4 / 22 + 10 / 50)


async def test_an_amended_answer_counts_by_its_present_truth(told: Any) -> None:
    later = START + timedelta(minutes=1)
    first = [response("r-1", 3, reasons=("late",)), response("i-1", 3, reasons=("late",))]
    await told(first)

    amended = response("r-1", 8, reasons=("price",), answered_at=later)
    body = await told([amended, *first, invitation("i-1")], by="region")
    (whole,) = (await told([]))["groups"]

    assert {one["reason"]: one["counts"]["detractors"] for one in whole["reasons"]} == {
        "late": 1,
        "price": 0,
    }
    assert whole["classes"]["passive"] == {"n": 1, "with_reasons": 1}
    assert [group["segment"] for group in body["groups"]] == [{"region": "EU"}]


async def test_a_reason_that_one_answer_repeats_counts_once(told: Any) -> None:
    said = {"r-1": ("loud",) * 5, "r-2": ("often",), "r-3": ("often", "loud")}

    (group,) = (await told([response(key, reasons=one) for key, one in said.items()]))["groups"]

    assert {one["reason"]: one["counts"]["promoters"] for one in group["reasons"]} == {
        "loud": 2,
        "often": 2,
    }
    (one,) = (await told([response("r-4", reasons=("often",))]))["groups"]
    assert [reason["reason"] for reason in one["reasons"]] == ["often", "loud"]


async def test_texts_that_explode_are_counted_and_not_shown(told: Any) -> None:
    texts = [response(f"r-{n}", n % 11, reasons=(f"text {n}", "late")) for n in range(120)]

    (group,) = (await told(texts))["groups"]

    assert group["reasons"][0]["reason"] == "late"
    assert len(group["reasons"]) == 50
    assert group["truncated"] is True
    assert group["other_reasons"]["reasons"] == 71
    assert sum(group["other_reasons"]["counts"].values()) == 71


async def test_nobody_is_null_and_never_zero(told: Any) -> None:
    (group,) = (await told([]))["groups"]

    assert (group["n"], group["reasons"], group["overlap"]) == (0, [], None)
    risk = group["drop_off_risk"]
    assert (risk["share"], risk["interval"], risk["sufficient"]) == (None, None, False)


async def test_groups_come_in_pages(client: httpx.AsyncClient) -> None:
    whole = await get(client, "/v1/reasons", metric="nps", by="product,region")
    pages: list[Any] = []
    query: dict[str, Any] = {}
    while True:
        body = await get(client, "/v1/reasons", metric="nps", by="product,region", limit=2, **query)
        pages += body["groups"]
        if body["next"] is None:
            break
        query = {"cursor": body["next"]}

    assert pages == whole["groups"]
    assert len(pages) > 4


@pytest.mark.parametrize(
    ("query", "field", "told"),
    [
        ({}, "metric", ""),
        ({"metric": "stars"}, "metric", "nps, csat, ces"),
        ({"metric": "nps", "by": "colour"}, "by", "channel, product, region"),
        ({"metric": "nps", "where": "colour:red"}, "where", "channel, product, region"),
        ({"metric": "nps", "limit": "-1"}, "limit", "1"),
        ({"metric": "nps", "reason": "late"}, "reason", ""),
        ({"metric": "nps", "cursor": "x"}, "cursor", "page before"),
    ],
)
async def test_a_bad_question_names_its_fault(
    client: httpx.AsyncClient, query: Any, field: str, told: str
) -> None:
    reply = await client.get("/v1/reasons", params=query)

    assert reply.status_code == 422, reply.text
    (fault,) = reply.json()["errors"]
    assert fault["field"] == field
    assert told in fault["accepted"]
