"""Scores and trends of contracts section 5 equal a recount, for any question."""

import json
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import httpx
import pytest

from shared.programme.metrics import Klass, find_metric
from tests.support.scoring import START
from tests.support.scoring_api import VALUES, get
from tests.support.scoring_history import segments_of, winners

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one application for all


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
        "metric", "from", "to", "as_of", "behind_s", "level", "clusters", "benchmarks", "next",
        "groups",
    }  # fmt: skip
    assert (body["behind_s"], body["level"], body["next"]) == (0.25, 0.95, None)
    assert (body["to"], body["as_of"]) == (body["to"], "2026-11-21T18:21:00Z")
    assert body["from"] == "2026-11-20T18:21:00Z"
    group = body["groups"][0]
    assert set(group) == {
        "segment", "n", "score", "interval", "design_effect", "sufficient", "counts",
        "distribution", "invited", "response_rate", "response_rate_interval", "previous", "shrunk",
        "target", "benchmarks",
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
        low, high = group["response_rate_interval"]
        assert 0 <= low < group["response_rate"] < high <= 1


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
            "from", "to", "n", "score", "interval", "design_effect", "sufficient", "counts",
        }  # fmt: skip
        assert group["points"][0]["from"] == trend["from"]
        assert group["points"][-1]["to"] == trend["to"]


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
