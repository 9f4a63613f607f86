"""Experiments over HTTP, counted by real PostgreSQL and, beside it, by hand."""

import random
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from services.trigger.app import Core, open_core
from services.trigger.domain.comparing import Counted, compare, rate_of, score_of
from services.trigger.tables import invitations
from shared.clock import utc_now
from shared.programme.metrics import find_metric
from tests.support.trigger import ROOT
from tests.support.trigger_api import client_of, settings
from tests.support.trigger_rig import TABLES

CSAT = find_metric("csat", (1, 5))
EXPERIMENT = (
    "experiment: {name: subject-line, variants: "
    "{short: , long: {mail: {subject: {en: 'About {event.call.queue}'}}}}}"
)
DAY = timedelta(days=1)
Row = dict[str, Any]


@pytest.fixture
async def core(database_url: str, tmp_path: Path) -> AsyncIterator[Core]:
    folder = Path(shutil.copytree(ROOT / "programme", tmp_path / "programme"))
    triggers = folder / "triggers.yaml"
    triggers.write_text(triggers.read_text().replace("sample: 1.0", EXPERIMENT, 1))
    async with AsyncExitStack() as stack:
        core = await open_core(settings(database_url, tmp_path, programme=folder), stack)
        async with core.engine.begin() as connection:
            await connection.execute(sa.text(f"TRUNCATE {TABLES}, answers"))
        yield core


@pytest.fixture
async def client(core: Core) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(core) as client:
        yield client


def invited(number: int, variant: str, **changes: Any) -> Row:
    now = utc_now()
    row = {
        "id": f"i-{number:04}",
        "revision": 2,
        "published": True,
        "status": "sent",
        "survey": "post-call",
        "kind": "in-the-moment",
        "metric": "csat",
        "scale_low": 1,
        "scale_high": 5,
        "trigger": "after-call",
        "customer_id": f"c-{number}",
        "subject_id": f"call-{number}",
        "source": "/calls",
        "event_id": f"evt-{number}",
        "event_type": "support_call.ended",
        "event_time": now - 3 * DAY,
        "segments": {},
        "words": {},
        "channels": ["email"],
        "language": "en",
        "send_at": now - 3 * DAY,
        "invited_at": now - 3 * DAY,
        "expires_at": now - 2 * DAY + timedelta(seconds=number),
        "resend_on_doubt": False,
        "attempts": 1,
        "zones": [],
        "experiment": "subject-line",
        "variant": variant,
        "reminder_of": None,
        "reminder": 0,
        "created_at": now - 3 * DAY,
    }
    return {**row, **changes}


async def store(core: Core, rows: Sequence[Row], scores: Mapping[str, int]) -> None:
    answers = [
        {"id": name, "score": score, "klass": CSAT.class_of(score), "at": utc_now()}
        for name, score in scores.items()
    ]
    answer = sa.text(
        "INSERT INTO answers (id, version, invitation_id, survey, klass, score, segments,"
        " answered_at) VALUES (:id, '1', :id, 'post-call', :klass, :score, '{}', :at)"
    )
    async with core.engine.begin() as connection:
        await connection.execute(sa.insert(invitations), rows)
        if answers:
            await connection.execute(answer, answers)


async def shown(client: httpx.AsyncClient) -> dict[str, Any]:
    reply = await client.get("/v1/experiments/subject-line")
    assert reply.status_code == 200
    found: dict[str, Any] = reply.json()
    return found


def drawn(seed: int) -> tuple[list[Row], dict[str, int]]:
    """Invitations of every sort, some of them answered."""
    draw, rows, now = random.Random(seed), [], utc_now()
    for number in range(300):
        changes: Row = {
            "status": draw.choice(["sent"] * 6 + ["unknown", "undeliverable", "scheduled"]),
            "customer_id": f"c-{draw.randrange(200)}",
            "expires_at": now - DAY + timedelta(minutes=draw.randrange(1, 2000)),
        }
        if number % 17 == 0:
            changes |= {"reminder_of": "i-0001", "reminder": 1}
        if number % 19 == 0:
            changes |= {"scale_high": 10}
        rows.append(invited(number, draw.choice(["short", "long"]), **changes))
    answered = {row["id"]: draw.randint(1, 5) for row in rows if draw.random() < 0.4}
    return rows, answered


def by_hand(rows: Sequence[Row], scores: Mapping[str, int], now: datetime) -> dict[str, Counted]:
    went = [r for r in rows if r["status"] in {"sent", "unknown"} and not r["reminder_of"]]
    firsts: dict[str, Row] = {}
    for row in sorted(went, key=lambda row: (row["expires_at"], row["id"])):
        if row["scale_high"] == 5:
            firsts.setdefault(row["customer_id"], row)
    over = [row for row in firsts.values() if row["expires_at"] <= now - timedelta(hours=1)]
    of = {v: [r["id"] for r in over if r["variant"] == v] for v in ("short", "long")}
    told = {v: [scores[i] for i in ids if i in scores] for v, ids in of.items()}
    flags = {v: [int(i in scores) for i in ids] for v, ids in of.items()}
    return {
        variant: Counted(
            invited=sum(row["variant"] == variant for row in went),
            pending=sum(
                row["variant"] == variant and row["expires_at"] > now - timedelta(hours=1)
                for row in went
            ),
            counted=len(of[variant]),
            answered=len(told[variant]),
            points=Counter(told[variant]),
            rates=Counter(zip(flags["short"], flags[variant], strict=False)),
            scores=Counter(zip(told["short"], told[variant], strict=False)),
        )
        for variant in of
    }


async def test_what_is_counted_is_what_a_recount_by_hand_gives(
    core: Core, client: httpx.AsyncClient
) -> None:
    rows, scores = drawn(seed=4)
    await store(core, rows, scores)

    found = await shown(client)

    hand = by_hand(rows, scores, utc_now())
    assert [each["variant"] for each in found["variants"]] == ["short", "long"]
    for each in found["variants"]:
        one = hand[each["variant"]]
        told = (each["invited"], each["pending"], each["counted"], each["answered"])
        assert told == (one.invited, one.pending, one.counted, one.answered)
        assert one.pending > 0
        rate, score = rate_of(one), score_of(one, CSAT)
        assert each["response_rate"] == {"rate": rate.mean, "interval": list(rate.interval or ())}
        assert each["score"] == {"score": score.mean, "interval": list(score.interval or ())}
        classes = Counter(f"{CSAT.class_of(p)}s" for p in Counter(one.points).elements())
        assert each["counts"] == {"promoters": 0, "passives": 0, "detractors": 0, **classes}
    (expected,) = compare(hand, CSAT)
    (compared,) = found["compared"]
    assert (compared["variant"], compared["with"]) == ("long", "short")
    for name, wanted in (("response_rate", expected.rate), ("score", expected.score)):
        assert compared[name]["pairs"] == wanted.pairs > 10
        assert compared[name]["difference"] == pytest.approx(wanted.difference)
        assert compared[name]["interval"] == pytest.approx(list(wanted.interval or ()))


async def test_a_plain_difference_is_told_in_a_sentence(
    core: Core, client: httpx.AsyncClient
) -> None:
    rows = [invited(n, "long" if n % 2 else "short") for n in range(400)]
    scores = {row["id"]: 4 for n, row in enumerate(rows) if n % 10 in {0, 1, 3, 5}}
    await store(core, rows, scores)

    found = await shown(client)

    (compared,) = found["compared"]
    rates = [each["response_rate"]["rate"] for each in found["variants"]]
    assert rates == [pytest.approx(0.2), pytest.approx(0.6)]
    assert compared["response_rate"]["decided"] is True
    assert (compared["score"]["difference"], compared["score"]["decided"]) == (0, False)
    assert found["sentence"].startswith("The response rate of long is higher than that of short")
    assert "No difference in the score is proven yet" in found["sentence"]
    assert (found["level"], found["running"]) == (0.95, True)
    assert found["since"] < found["as_of"]


async def test_an_answer_counts_once_the_time_to_answer_is_over(
    core: Core, client: httpx.AsyncClient
) -> None:
    now = utc_now()
    ends = [now - timedelta(hours=2), now - timedelta(minutes=1), now + DAY]
    await store(
        core,
        [invited(n, "short", expires_at=end) for n, end in enumerate(ends)],
        {"i-0000": 5, "i-0001": 5, "i-0002": 5},
    )

    found = await shown(client)

    short, _ = found["variants"]
    assert (short["invited"], short["counted"], short["answered"]) == (3, 1, 1)
    assert short["pending"] == 2
    assert "nothing to compare" in found["sentence"]


async def test_until_somebody_counts_it_says_how_long(
    core: Core, client: httpx.AsyncClient
) -> None:
    first = utc_now() - timedelta(minutes=1)
    ends = [first + DAY, first, first + 2 * DAY]
    await store(core, [invited(n, "short", expires_at=end) for n, end in enumerate(ends)], {})

    found = await shown(client)

    assert [each["pending"] for each in found["variants"]] == [3, 0]
    moment = f"{first + timedelta(hours=1):%Y-%m-%d %H:%M} UTC"
    assert f"the first customers' time to answer ends on {moment} " in found["sentence"]


async def test_experiments_are_listed_before_and_after_their_time(
    core: Core, client: httpx.AsyncClient
) -> None:
    empty = await shown(client)
    await store(core, [invited(1, "warm", experiment="tone", trigger="gone")], {})

    items = (await client.get("/v1/experiments")).json()["items"]
    gone = (await client.get("/v1/experiments/tone")).json()
    unknown = await client.get("/v1/experiments/tome")

    assert [each["response_rate"] for each in empty["variants"]] == [
        {"rate": None, "interval": None}
    ] * 2
    assert empty["since"] is None
    assert "nothing to compare" in empty["sentence"]
    assert [(item["name"], item["running"]) for item in items] == [
        ("subject-line", True),
        ("tone", False),
    ]
    assert ([each["variant"] for each in gone["variants"]], gone["compared"]) == (["warm"], [])
    assert unknown.status_code == 404
    assert "subject-line, tone" in unknown.json()["detail"]
