"""Scored answers in trigger's tables: counts are those of a recount, whatever came and when."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import timedelta
from random import Random

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.store.counting import begin_counting
from services.trigger.store.retention import Keeping, delete_old
from shared.events import ScoredResponse
from tests.support.answered import (
    CLASSES,
    DAY,
    PAIRS,
    answer,
    ask,
    counts,
    hear,
    recount,
    uncounted,
)
from tests.support.trigger import NOW, later


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with uncounted(database_url) as engine:
        yield engine


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


async def test_what_is_old_goes_with_its_counts(engine: AsyncEngine) -> None:
    await begin_counting(engine, PAIRS)
    await ask(engine, ["i-1"], "EU")
    await hear(engine, answer(1), answer(2, answered_at=later(days=20)))
    keeping = Keeping(timedelta(days=1), timedelta(days=10))

    deleted = await delete_old(engine, keeping, later(days=12))

    gone = {table: deleted[table] for table in ("answers", "answer_counts", "ask_counts")}
    assert gone == {"answers": 1, "answer_counts": 2, "ask_counts": 2}
