"""Scored answers in trigger's tables: counts are those of a recount, whatever came and when."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import timedelta
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.domain.precision import Heard, Pair, margin_of
from services.trigger.handlers.answers import on_answers
from services.trigger.store.answers import SUMS, SqlAnswers
from services.trigger.store.counting import begin_counting, counting_asks
from services.trigger.store.margins import read_heard, read_margins
from services.trigger.store.retention import Keeping, delete_old
from shared.db import open_engine
from shared.events import ScoredResponse
from shared.programme.metrics import METRICS
from shared.tally import Tally
from tests.support.trigger import NOW, later, programme

TABLES = ("answers", "answer_counts", "ask_counts", "counted", "invitations")
PAIRS = [("nps", ""), ("nps", "region"), ("post-call", ""), ("post-call", "region")]
CLASSES = ("promoter", "passive", "detractor")
DAY = timedelta(days=1)
BOOK = counting_asks(
    sa.text("""
        INSERT INTO invitations (id, survey, segments, created_at, kind, metric, scale_low,
            scale_high, trigger, customer_id, subject_id, source, event_id, event_type, event_time,
            words, channels, language, send_at, expires_at, resend_on_doubt)
        SELECT id, 'post-call', CAST(:segments AS jsonb), CAST(:at AS timestamptz), '', '', 1, 5,
            't', 'c', id, '', '', '', now(), '{}', '{email}', 'en', now(), now(), false
        FROM unnest(CAST(:ids AS text[])) AS id ON CONFLICT (id) DO NOTHING
    """)
)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(database_url, schema="trigger") as engine:
        async with engine.begin() as connection:
            await connection.execute(sa.text(f"TRUNCATE {', '.join(TABLES)}"))
        yield engine


def answer(number: int, version: int = 0, **changed: Any) -> ScoredResponse:
    usual: dict[str, Any] = {
        "id": f"r-{number}",
        "version": f"{version:03}",
        "survey": "post-call",
        "metric": "csat",
        "scale": (1, 5),
        "score": 5,
        "klass": "promoter",
        "segments": {"region": "EU"},
        "answered_at": NOW,
        "received_at": NOW,
        "scored_at": NOW,
    }
    return ScoredResponse(**(usual | changed))


def history(luck: Random) -> list[ScoredResponse]:
    """Answers, most of them amended, some of them invited, a few of no survey."""
    return [
        answer(
            number,
            version,
            survey=luck.choice(("post-call", "nps", "other", None)),
            score=luck.randint(1, 5),
            klass=luck.choice(CLASSES),
            segments=luck.choice(({}, {"region": "EU"}, {"region": "US"}, {"region": ""})),
            answered_at=NOW + luck.randint(-3, 3) * timedelta(hours=9),
            invitation_id=luck.choice((None, "i-1", "i-2", "i-unknown")),
        )
        for number in range(12)
        for version in range(luck.randint(1, 4))
    ]


def in_batches(answers: Iterable[ScoredResponse], luck: Random) -> list[list[ScoredResponse]]:
    """Some of them twice, in any order, cut anywhere."""
    told = [*answers, *(one for one in answers if luck.random() < 0.3)]
    luck.shuffle(told)
    cuts = sorted(luck.sample(range(len(told)), 4))
    return [told[begin:end] for begin, end in zip([0, *cuts], [*cuts, None], strict=True)]


async def hear(engine: AsyncEngine, *answers: ScoredResponse) -> None:
    async with engine.begin() as connection:
        await on_answers(answers, SqlAnswers(connection))


async def ask(engine: AsyncEngine, ids: Sequence[str], region: str, at: Any = NOW) -> None:
    async with engine.begin() as connection:
        segments = f'{{"region": "{region}"}}'
        await connection.execute(BOOK, {"ids": ids, "segments": segments, "at": at})


async def counts(engine: AsyncEngine) -> dict[tuple[Any, ...], tuple[int, ...]]:
    """What is counted; what has come to nothing is as if it had never been."""
    query = f"SELECT survey, dimension, value, day, {', '.join(SUMS)} FROM answer_counts"
    async with engine.connect() as connection:
        rows = (await connection.execute(sa.text(query))).all()
    return {tuple(row[:4]): tuple(row[4:]) for row in rows if any(row[4:])}


async def recount(
    engine: AsyncEngine, pairs: Sequence[Pair]
) -> dict[tuple[Any, ...], tuple[int, ...]]:
    """The same from the answers that are stored, in plain Python."""
    async with engine.connect() as connection:
        answers = (await connection.execute(sa.text("SELECT * FROM answers"))).mappings().all()
        asked = (await connection.execute(sa.text("SELECT * FROM invitations"))).mappings().all()
    invitations = {row["id"]: row for row in asked}
    found: dict[tuple[Any, ...], Counter[str]] = {}

    def add(row: Any, day: Any, part: dict[str, int]) -> None:
        for survey, dimension in pairs:
            value = row["segments"].get(dimension) if dimension else ""
            if survey == row["survey"] and (value or not dimension):
                found.setdefault((survey, dimension, value, day), Counter()).update(part)

    for row in answers:
        score = row["score"]
        part = {f"{row['klass']}s": 1, "total": score, "squares": score * score}
        add(row, row["answered_at"].date(), part)
        if (invitation := invitations.get(row["invitation_id"])) is not None:
            late = max(row["answered_at"] - invitation["created_at"], timedelta(0))
            part = {"answered": 1, "late": int(late.total_seconds())}
            add(invitation, invitation["created_at"].date(), part)
    return {key: tuple(sums[name] for name in SUMS) for key, sums in found.items()}


@pytest.mark.parametrize("seed", range(6))
async def test_any_order_and_repetition_of_amendments_ends_alike(
    engine: AsyncEngine, seed: int
) -> None:
    luck = Random(seed)
    told = history(luck)
    await begin_counting(engine, PAIRS)
    await ask(engine, ["i-1"], "EU", NOW - DAY)
    await ask(engine, ["i-2"], "US")

    for batch in in_batches(told, luck):
        await hear(engine, *batch)

    of_surveys = [one for one in told if one.survey]
    newest = {one.id: one for one in sorted(of_surveys, key=lambda one: one.version)}
    async with engine.connect() as connection:
        kept = (await connection.execute(sa.text("SELECT id, version FROM answers"))).all()
    assert dict(map(tuple, kept)) == {one.id: one.version for one in newest.values()}
    assert await counts(engine) == await recount(engine, PAIRS)


async def test_replicas_that_count_at_once_neither_lose_nor_wait_for_one_another(
    engine: AsyncEngine,
) -> None:
    luck = Random(7)
    told = history(luck)
    await ask(engine, ["i-1", "i-2"], "EU")

    async def replica(batches: Sequence[Sequence[ScoredResponse]]) -> None:
        for batch in batches:
            await hear(engine, *batch)

    replicas = [replica(in_batches(told, luck)) for _ in range(3)]
    await asyncio.gather(*replicas, *(begin_counting(engine, PAIRS) for _ in range(2)))

    assert await counts(engine) == await recount(engine, PAIRS)


async def test_a_target_that_is_new_finds_the_past_counted(engine: AsyncEngine) -> None:
    told = history(Random(3))
    await begin_counting(engine, PAIRS[:1])
    await ask(engine, ["i-1"], "EU")
    await ask(engine, ["i-2"], "US", NOW - 40 * DAY)
    await hear(engine, *told)
    assert await counts(engine) == await recount(engine, PAIRS[:1])

    await begin_counting(engine, PAIRS)
    await begin_counting(engine, [])

    assert await counts(engine) == await recount(engine, PAIRS)
    async with engine.connect() as connection:
        asks = (await connection.execute(sa.text("SELECT * FROM ask_counts"))).all()
    assert sorted(tuple(row) for row in asks) == [
        ("post-call", "", "", (NOW - 40 * DAY).date(), 1),
        ("post-call", "", "", NOW.date(), 1),
        ("post-call", "region", "EU", NOW.date(), 1),
        ("post-call", "region", "US", (NOW - 40 * DAY).date(), 1),
    ]


async def test_a_margin_stands_on_the_answers_of_the_period_and_on_those_to_come(
    engine: AsyncEngine,
) -> None:
    trigger = {"target_margin": 5.0, "target_by": "region", "target_per": timedelta(days=30)}
    sampled = programme(trigger=trigger)
    await begin_counting(engine, PAIRS)
    await ask(engine, [f"i-{n}" for n in range(400)], "EU", later(days=-20))
    await ask(engine, [f"j-{n}" for n in range(100)], "EU", later(hours=-12))
    heard = [
        answer(n, score=5 if n % 2 else 1, klass=CLASSES[n % 2 * -1], invitation_id=f"i-{n}",
               answered_at=later(days=-20, hours=2))
        for n in range(200)
    ]  # fmt: skip
    await hear(engine, *heard, answer(999, answered_at=later(days=-31)))
    wanted = [("after-call", "EU"), ("after-call", ""), ("after-call", "US"), ("other", "EU")]

    async with engine.connect() as connection:
        found = await read_heard(connection, wanted, sampled, NOW)
        margins = await read_margins(connection, wanted, sampled, NOW)
        nothing = await read_margins(connection, wanted, programme(), NOW)

    assert nothing == {}
    assert set(found) == set(wanted[:3])
    tally = Tally(100, 0, 100, 600, 2_600, distribution=None)
    assert found["after-call", "EU"].tally == found["after-call", ""].tally == tally
    assert found["after-call", "US"] == Heard(Tally(distribution=None))
    # half of them answer, within hours: few of those asked this morning are to come
    assert 0 < found["after-call", "EU"].waiting < 0.5 * 100 * 0.6
    assert margins == {key: margin_of(one, METRICS[1], 5.0) for key, one in found.items()}
    assert margins["after-call", "US"].share == 1
    assert margins["after-call", "EU"].n == 200


async def test_what_is_old_goes_with_its_counts(engine: AsyncEngine) -> None:
    await begin_counting(engine, PAIRS)
    await ask(engine, ["i-1"], "EU")
    await hear(engine, answer(1), answer(2, answered_at=later(days=20)))
    keeping = Keeping(timedelta(days=1), timedelta(days=10))

    deleted = await delete_old(engine, keeping, later(days=12))

    gone = {table: deleted[table] for table in ("answers", "answer_counts", "ask_counts")}
    assert gone == {"answers": 1, "answer_counts": 2, "ask_counts": 2}
