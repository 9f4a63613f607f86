"""`GET /v1/coverage` equals a recount of the records, for any question and any bounds."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from math import ceil
from typing import Any

import httpx
import pytest

from services.scoring.domain.questions import Question
from services.scoring.domain.windows import Window
from services.scoring.store import adopt
from services.scoring.store.funnel import read_denominators
from services.scoring.store.reader import Reader
from shared.db import open_engine
from shared.events import SurveyInvitation, SurveyResponse
from tests.support.scoring import LAYOUT, START
from tests.support.scoring_api import get, settle
from tests.support.scoring_funnel import funnel_of, latest, lives
from tests.support.scoring_history import winners

LIVES = lives(1, events=300)


pytestmark = pytest.mark.asyncio(loop_scope="module")  # one application for all


@pytest.fixture(scope="module")
def filled(database_url: str) -> str:
    async def work() -> None:
        async with open_engine(database_url, schema="scoring") as engine:
            await adopt(engine, LAYOUT)
            await settle(engine, LIVES)

    asyncio.run(work())
    return database_url


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def within(start: datetime, end: datetime) -> list[Any]:
    """The records on the events of this time."""
    kept = [one for one in LIVES if hasattr(one, "event") and start <= one.event.time < end]
    letters = {one.id for one in kept if isinstance(one, SurveyInvitation)}
    replies = [one for one in LIVES if isinstance(one, SurveyResponse)]
    return kept + [one for one in replies if one.invitation_id in letters]


def steps(
    records: list[Any], by: tuple[str, ...], where: dict[str, str], survey: str | None
) -> dict[tuple[str, ...], Counter[str]]:
    """Steps by group, from the slow recount of everything."""
    found: dict[tuple[str, ...], Counter[str]] = {}
    wide = sorted({*by, *where})
    pairs = ((wide[0], wide[1]),) if len(wide) == 2 else ()
    layout = type(LAYOUT)(dict.fromkeys(wide), pairs)
    for (named, names, values, _, step), n in funnel_of(records, layout).items():
        segment = dict(zip(wide, values, strict=False))
        if names != ",".join(wide) or survey not in (None, named):
            continue
        if all(segment[name] == value for name, value in where.items()):
            key = tuple(segment[name] for name in by)
            found.setdefault(key, Counter())[step] += n
    return found


SPANS = [(-400, 500), (7, 13), (0, 120), (23, 211), (59, 61)]
CUTS = [
    ((), {}),
    (("region",), {}),
    (("product", "region"), {}),
    (("product",), {"region": "A"}),
    (("channel",), {}),
    ((), {"product": "x"}),
]


@pytest.mark.parametrize("survey", [None, "post-call"])
@pytest.mark.parametrize(("by", "where"), CUTS)
async def test_the_funnel_equals_a_recount_for_any_bounds(
    client: httpx.AsyncClient, by: tuple[str, ...], where: dict[str, str], survey: str | None
) -> None:
    for first, last in SPANS:
        query: dict[str, Any] = {"from_": at(first).isoformat(), "to": at(last).isoformat()}
        query |= {"by": ",".join(by)} if by else {}
        query |= {"survey": survey} if survey else {}
        query |= {"where": [f"{name}:{value}" for name, value in where.items()]}

        told = await get(client, "/v1/coverage", **query)

        expected = steps(within(at(first), at(last)), by, where, survey)
        found = {tuple(group["segment"][name] for name in by): group for group in told["groups"]}
        assert set(found) == set(expected) | (set() if by else {()})
        for segment, group in found.items():
            check(group, expected.get(segment, Counter()))
        events = [group["events"] for group in told["groups"]]
        assert events == sorted(events, reverse=True)


def check(group: Any, counted: Counter[str]) -> None:
    by_stage: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for step, n in counted.items():
        stage, _, reason = step.partition(":")
        by_stage[stage] += n
        reasons[reason] += n if reason else 0
    asked = by_stage["asked"]
    eligible = asked + by_stage["eligible"]
    events = eligible + by_stage["heard"]
    expected = (events, eligible, asked, by_stage["delivered"], by_stage["answered"])
    names = ("events", "eligible", "asked", "delivered", "answered")
    assert tuple(group[name] for name in names) == expected
    told = {one["reason"]: one["n"] for one in group["reasons"]}
    assert told == {reason: n for reason, n in reasons.items() if n}
    rate = group["rates"]["coverage"]
    assert (rate is None) == (eligible == 0)
    if rate is not None:
        low, high = rate["interval"]
        assert rate["share"] == pytest.approx(by_stage["answered"] / eligible)
        assert 0 <= low <= rate["share"] <= high <= 1


async def test_delays_are_those_of_the_answers_given_in_the_window(
    client: httpx.AsyncClient,
) -> None:
    start, end = at(30), at(290)
    told = await get(
        client, "/v1/coverage", by="region", from_=start.isoformat(), to=end.isoformat()
    )

    replies, askings = winners([one for one in LIVES if not hasattr(one, "event_id")])
    delays: dict[str, list[float]] = {}
    for key, reply in replies.items():
        if start <= reply.answered_at < end and askings[key].status == "sent":
            took = (reply.answered_at - askings[key].invited_at).total_seconds()
            delays.setdefault(askings[key].segments["region"], []).append(took)
    assert set(delays) == {"A", "B"}
    for group in told["groups"]:
        took = sorted(delays[group["segment"]["region"]])
        delay, n = group["answer_delay"], len(took)
        low, high = delay["interval_s"]
        assert delay["n"] == n > 6
        assert delay["median_s"] == took[ceil(n / 2) - 1]
        assert delay["p90_s"] == took[ceil(0.9 * n) - 1]
        assert took.index(low) == n - 1 - took.index(high) < n // 2  # no two took equally long


async def test_pages_follow_one_another_and_keep_their_moment(client: httpx.AsyncClient) -> None:
    whole = await get(client, "/v1/coverage", by="product,region", window="24h")
    found: list[Any] = []
    page = await get(client, "/v1/coverage", by="product,region", window="24h", limit=4)
    while True:
        assert page["as_of"] == whole["as_of"]
        found += page["groups"]
        if page["next"] is None:
            break
        cursor = page["next"]
        page = await get(
            client, "/v1/coverage", by="product,region", window="24h", limit=4, cursor=cursor
        )

    assert len(whole["groups"]) > 4
    assert found == whole["groups"]


async def test_nothing_known_is_one_group_without_rates(client: httpx.AsyncClient) -> None:
    told = await get(
        client, "/v1/coverage", from_="2020-01-01T00:00:00Z", to="2020-01-02T00:00:00Z"
    )

    (group,) = told["groups"]
    assert (told["behind_s"], told["level"], told["next"]) == (0.25, 0.95, None)
    assert (group["segment"], group["events"], group["reasons"]) == ({}, 0, [])
    assert set(group["rates"].values()) == {None}
    assert group["answer_delay"] == {"n": 0, "median_s": None, "p90_s": None, "interval_s": None}


async def test_denominators_are_the_eligible_events(filled: str) -> None:
    question, window = Question("", by=("region",)), Window(at(0), at(120))
    async with (
        open_engine(filled, schema="scoring") as engine,
        Reader(engine).snapshot() as connection,
    ):
        found = await read_denominators(connection, question, window)

    expected: Counter[tuple[str, ...]] = Counter()
    heard = {"no-trigger", "rule-not-met", "rule-error", "too-old", "settling"}
    for one in latest(within(at(0), at(120))):
        expected[one.segments["region"],] += one.reason not in heard
    assert found == dict(expected)


@pytest.mark.parametrize(
    ("query", "field", "told"),
    [
        ({"by": "colour"}, "by", "channel, product, region"),
        ({"where": "colour:red"}, "where", "channel, product"),
        ({"window": "2h"}, "window", "24h"),
        ({"survey": "post-delivry"}, "survey", "post-delivery"),
        ({"time": "answered"}, "time", "to"),
        ({"metric": "nps"}, "metric", ""),
        ({"limit": "-1"}, "limit", ""),
        ({"cursor": "x"}, "cursor", "page before"),
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "from", "before `to`"),
    ],
)
async def test_a_bad_question_names_its_fault(
    client: httpx.AsyncClient, query: dict[str, str], field: str, told: str
) -> None:
    reply = await client.get("/v1/coverage", params=query)

    assert reply.status_code == 422, reply.text
    (error,) = reply.json()["errors"]
    assert error["field"] == field
    assert told in error["accepted"]
