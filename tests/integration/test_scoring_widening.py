"""Intervals and p-values widen by how answers crowd, and by how alike those of a cluster are."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from services.scoring.domain.alikeness import Alikeness
from services.scoring.domain.scores import score_of
from services.scoring.metrics import ScoreGauges
from services.scoring.store import adopt, crowding
from services.scoring.store.crowding import Widening
from services.scoring.store.reader import Reader
from services.scoring.worker import GaugeBoard
from shared.db import open_engine
from shared.intervals import METHODS, p_value
from shared.programme.metrics import METRICS
from shared.programme.models import Gauge
from shared.tally import Tally
from tests.support.scoring import LAYOUT, START, response
from tests.support.scoring_api import get, opened_client, settle

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one application for all

NPS = METRICS[0]
NOW = START + timedelta(hours=1)
RHO = {("nps", "", "day"): 0.1, ("nps", "region", "day"): 0.2, ("nps", "", "channel"): 0.05}
# answers by region and days ago
DAYS = {"A": [12, 4, 0, 8], "B": [3, 3, 3, 3]}


def answers() -> list[Any]:
    given = [
        (region, ago, "web" if number % 4 else "till")
        for region, days in DAYS.items()
        for ago, many in enumerate(days)
        for number in range(many)
    ]
    return [
        response(
            f"r-{number}",
            10 if number % 3 else 0,
            segments={"region": region, "channel": channel},
            answered_at=START - timedelta(days=ago),
        )
        for number, (region, ago, channel) in enumerate(given)
    ]


@pytest.fixture(scope="module")
def filled(database_url: str) -> str:
    async def work() -> None:
        async with open_engine(database_url, schema="scoring") as engine:
            await adopt(engine, LAYOUT)
            await settle(engine, answers())

    asyncio.run(work())
    return database_url


@pytest.fixture(scope="module", params=[("day",), ("day", "channel")])
def alike(request: pytest.FixtureRequest) -> Alikeness:
    return Alikeness(request.param, RHO)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(filled: str, alike: Alikeness) -> AsyncIterator[httpx.AsyncClient]:
    async with opened_client(filled, NOW, alike=alike) as client:
        yield client


def tally(group: Any) -> Tally:
    counts = group["counts"]
    return Tally(counts["promoters"], counts["passives"], counts["detractors"])


def crowd(sizes: list[int]) -> float:
    return sum(n * n for n in sizes) / sum(sizes)


async def test_each_interval_is_widened_by_what_its_answers_crowd(
    client: httpx.AsyncClient, alike: Alikeness
) -> None:
    body = await get(client, "/v1/scores", metric="nps", window="7d", by="region")

    assert body["clusters"] == list(alike.kinds)
    for group in body["groups"]:
        days = DAYS[group["segment"]["region"]]
        deff = 1 + 0.2 * (crowd(days) - 1)
        if "channel" in alike.kinds:
            till = sum(-(-many // 4) for many in days)
            deff += 0.05 * (crowd([till, sum(days) - till]) - 1)
        assert group["design_effect"] == pytest.approx(deff)
        assert group["interval"] == pytest.approx(score_of(tally(group), NPS, deff=deff).interval)


async def test_years_without_answers_widen_nothing(client: httpx.AsyncClient) -> None:
    for by in ({}, {"by": "region"}):
        week = await get(client, "/v1/scores", metric="nps", window="7d", **by)
        years = await get(client, "/v1/scores", metric="nps", from_="1975-01-01T00:00:00Z", **by)

        for one, other in zip(week["groups"], years["groups"], strict=True):
            assert other["design_effect"] == pytest.approx(one["design_effect"])
            assert other["interval"] == pytest.approx(one["interval"])


async def test_a_cluster_that_the_question_names_widens_nothing(
    client: httpx.AsyncClient, alike: Alikeness
) -> None:
    body = await get(client, "/v1/scores", metric="nps", by="channel")
    three = await get(
        client, "/v1/scores", metric="nps", by="region,product", where="touchpoint:till"
    )

    assert body["clusters"] == three["clusters"] == ["day"]


async def test_the_points_of_a_trend_are_widened_by_day(client: httpx.AsyncClient) -> None:
    query = {"metric": "nps", "window": "7d", "by": "region", "tz": "UTC"}

    days = await get(client, "/v1/trend", bucket="1d", **query)
    months = await get(client, "/v1/trend", bucket="1mo", **query)

    assert days["clusters"] == ["day"]
    for group in days["groups"]:
        for point in group["points"]:
            assert point["design_effect"] == pytest.approx(1 + 0.2 * max(0, point["n"] - 1))
    (point,) = months["groups"][0]["points"]
    assert point["design_effect"] == pytest.approx(1 + 0.2 * (crowd(DAYS["A"]) - 1))


async def test_of_many_groups_it_is_expected_from_the_days_of_all(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    (counted,) = (await get(client, "/v1/scores", metric="nps", window="7d"))["groups"]
    monkeypatch.setattr(crowding, "_CELLS_AT_MOST", 0)

    (whole,) = (await get(client, "/v1/scores", metric="nps", window="7d"))["groups"]
    trend = await get(client, "/v1/trend", metric="nps", window="7d", by="region", bucket="1mo")

    assert whole["design_effect"] == pytest.approx(counted["design_effect"])
    together = [sum(days) for days in zip(*DAYS.values(), strict=True)]
    shared = sum(n * (n - 1) for n in together) / (36 * 35)
    found = {one["segment"]["region"]: one["points"][0] for one in trend["groups"]}
    assert found["B"]["design_effect"] == pytest.approx(1 + 0.2 * 11 * shared)


async def test_the_rest_crowds_in_proportion(client: httpx.AsyncClient) -> None:
    query = {"metric": "nps", "window": "7d"}
    (whole,) = (await get(client, "/v1/scores", **query))["groups"]
    one, other = (await get(client, "/v1/scores", by="region", against="rest", **query))["groups"]

    assert one["against"]["n"] == other["n"]
    deff = 1 + (whole["design_effect"] - 1) * other["n"] / whole["n"]
    estimate = METHODS[NPS.interval]
    left = estimate(tally(one), NPS, 0.5, one["design_effect"])
    right = estimate(tally(other), NPS, 0.5, deff)
    assert one["against"]["p_value"] == pytest.approx(p_value(left, right))


async def test_gauges_are_as_wide_as_the_replies(
    filled: str, client: httpx.AsyncClient, alike: Alikeness
) -> None:
    (group, _) = (await get(client, "/v1/scores", metric="nps", window="7d", by="region"))["groups"]
    shown, registry = ScoreGauges(), CollectorRegistry()
    registry.register(shown)
    async with open_engine(filled, schema="scoring") as engine:
        widening = Widening(Reader(engine), alike, ZoneInfo("Europe/Berlin"))
        gauge = Gauge(metric="nps", by=("region",), window="7d")
        await GaugeBoard([gauge], Reader(engine), lambda: NOW, shown, widening).compute()

    labels = {"metric": "nps", "survey": "", "window": "7d", "segment": '{"region":"A"}'}
    bounds = [
        registry.get_sample_value(f"earshot_scoring_score_{name}", labels)
        for name in ("lower", "upper")
    ]
    assert bounds == pytest.approx(group["interval"])
