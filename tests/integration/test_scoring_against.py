"""Groups beside the rest of the answers, or beside one of them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.scoring.store import adopt
from shared.db import open_engine
from shared.intervals import METHODS, p_value
from shared.programme.metrics import METRICS
from shared.programme.models import Benchmark, Scoring, Segmentation, Target
from shared.tally import Tally
from tests.support.scoring import LAYOUT, START, response
from tests.support.scoring_api import get, opened_client, settle

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one application for all

NPS = METRICS[0]
SCORES = {"A": [10] * 8 + [7] * 2, "B": [10] * 4 + [7] * 3 + [2] * 3, "C": [9] * 2 + [0] * 4}
NAMELESS = [10, 10, 3]  # answers without a region
PROGRAMME: dict[str, Any] = {
    "scores": Scoring(
        benchmarks=(
            Benchmark(metric="nps", industry="Airlines", value=40, source="A survey", year=2024),
            Benchmark(metric="csat", industry="Retail", value=80, source="A survey", year=2024),
        )
    ),
    "segments": Segmentation(
        targets=(
            Target(metric="nps", value=20),
            Target(metric="nps", segment={"region": "B", "channel": "web"}, value=-50),
        )
    ),
}


def answers() -> list[Any]:
    given = [({"region": region}, score) for region in SCORES for score in SCORES[region]]
    given += [({}, score) for score in NAMELESS]
    return [
        response(f"r-{number}", score, segments=segments | {"channel": "web"}, answered_at=START)
        for number, (segments, score) in enumerate(given)
    ]


@pytest.fixture(scope="module")
def filled(database_url: str) -> str:
    async def work() -> None:
        async with open_engine(database_url, schema="scoring") as engine:
            await adopt(engine, LAYOUT)
            await settle(engine, answers())

    asyncio.run(work())
    return database_url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(filled: str) -> AsyncIterator[httpx.AsyncClient]:
    async with opened_client(filled, START + timedelta(minutes=30), **PROGRAMME) as client:
        yield client


def tally(scores: list[int]) -> Tally:
    return Tally(
        sum(score > 8 for score in scores),
        sum(6 < score < 9 for score in scores),
        sum(score < 7 for score in scores),
    )


def p(left: list[int], right: list[int]) -> float:
    estimate = METHODS[NPS.interval]
    return p_value(estimate(tally(left), NPS, 0.5), estimate(tally(right), NPS, 0.5))


async def groups(client: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    body = await get(client, "/v1/scores", metric="nps", window="1h", by="region", **query)
    return {group["segment"]["region"]: group for group in body["groups"]}


async def test_each_group_stands_beside_the_rest_and_whoever_has_no_region_is_of_it(
    client: httpx.AsyncClient,
) -> None:
    found = await groups(client, against="rest")

    raw = []
    for region, scores in SCORES.items():
        others = [score for name in SCORES if name != region for score in SCORES[name]] + NAMELESS
        other, rest = found[region]["against"], tally(others)
        score = 100 * (rest.promoters - rest.detractors) / rest.n
        assert (other["segment"], other["n"]) == ("rest", len(others))
        assert other["score"] == pytest.approx(score)
        assert other["change"] == pytest.approx(found[region]["score"] - score)
        assert other["p_value"] == pytest.approx(p(scores, others))
        raw.append(other["p_value"])
    assert found["A"]["against"]["p_adjusted"] == pytest.approx(
        min(3 * min(raw), 1.5 * sorted(raw)[1], max(raw))
    )


async def test_each_group_stands_beside_the_one_that_is_named_but_itself(
    client: httpx.AsyncClient,
) -> None:
    found = await groups(client, against="region: B", limit=2)

    assert set(found) == {"A", "B"}
    assert found["B"]["against"] is None
    other = found["A"]["against"]
    assert (other["segment"], other["n"], other["score"]) == ({"region": "B"}, 10, 10.0)
    assert other["change"] == 70.0
    raw = sorted((p(SCORES["A"], SCORES["B"]), p(SCORES["C"], SCORES["B"])))
    assert other["p_value"] == pytest.approx(p(SCORES["A"], SCORES["B"]))
    assert other["p_adjusted"] == pytest.approx(min(2 * raw[0], raw[1]))  # C is on the next page


async def test_a_group_that_nobody_is_in_is_beside_all_and_says_nothing(
    client: httpx.AsyncClient,
) -> None:
    found = await groups(client, against="region:Z")

    assert [one["against"] for one in found.values()] == [
        {
            "segment": {"region": "Z"},
            "n": 0,
            "score": None,
            "change": None,
            "p_value": None,
            "p_adjusted": None,
        }
    ] * 3


async def test_two_dimensions_name_the_other_by_both(client: httpx.AsyncClient) -> None:
    query = {"metric": "nps", "window": "1h", "by": "channel,region"}

    body = await get(client, "/v1/scores", **query, against=["region:C", "channel:web"])

    beside = {group["segment"]["region"]: group["against"] for group in body["groups"]}
    assert beside["C"] is None
    assert beside["A"]["segment"] == {"channel": "web", "region": "C"}
    assert beside["A"]["n"] == 6


async def test_targets_and_benchmarks_stand_beside_each_score(client: httpx.AsyncClient) -> None:
    body = await get(
        client, "/v1/scores", metric="nps", window="1h", by="region", where="channel:web"
    )
    trend = await get(
        client, "/v1/trend", metric="nps", window="1h", by="region", where="channel:web"
    )

    assert body["benchmarks"] == trend["benchmarks"]
    assert body["benchmarks"] == [
        {"industry": "Airlines", "value": 40.0, "source": "A survey", "year": 2024}
    ]
    found = {group["segment"]["region"]: group for group in body["groups"]}
    assert found["A"]["target"] == {"value": 20.0, "difference": 60.0, "met": "yes"}
    assert found["B"]["target"] == {"value": -50.0, "difference": 60.0, "met": "yes"}
    assert found["C"]["target"]["met"] == "unclear"
    assert found["C"]["benchmarks"] == [
        {"difference": pytest.approx(-100 / 3 - 40), "stands": "level"}
    ]
    assert {one["segment"]["region"]: one["target"] for one in trend["groups"]} == {
        "A": 20.0,
        "B": -50.0,
        "C": 20.0,
    }


async def test_few_answers_are_drawn_to_the_mean_only_where_there_are_groups_enough(
    client: httpx.AsyncClient,
) -> None:
    three = await groups(client)
    (whole,) = (await get(client, "/v1/scores", metric="nps", window="1h"))["groups"]

    assert whole["shrunk"] is None
    assert {group["shrunk"] for group in three.values()} == {None}
