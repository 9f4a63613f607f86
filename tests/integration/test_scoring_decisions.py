"""The funnel on real PostgreSQL: any history ends in the same tables, and old decisions go."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring.consumer import build_handler
from services.scoring.domain.cells import Layout
from services.scoring.metrics import REGISTRY
from services.scoring.store import Book, adopt
from services.scoring.store.decisions import delete_decisions
from shared.db import open_engine
from tests.support.scoring import LAYOUT, START, decision, invitation
from tests.support.scoring_api import Nowhere, settle_by
from tests.support.scoring_funnel import funnel_of, lives

LATE = "earshot_scoring_decisions_too_late_total"


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(fresh_database_url, schema="scoring") as opened:
        await adopt(opened, LAYOUT)
        yield opened


async def settle(
    engine: AsyncEngine, values: Any, book: Book, *, now: Any = START, abort: bool = False
) -> None:
    handle = build_handler(book, Nowhere(), lambda _: None, lambda: now)
    await settle_by(handle, engine, values, abort=abort)


async def funnel(engine: AsyncEngine) -> dict[Any, int]:
    """Every number of the funnel that is not 0."""
    async with engine.connect() as connection:
        rows = await connection.execute(sa.text(
            'SELECT s.survey, s.slice, s."values", f.hour, f.step, f.n FROM funnel f'
            " JOIN series s ON s.id = f.series AND s.metric = ''"
        ))  # fmt: skip
        return {
            (row.survey, row.slice, tuple(row.values), row.hour, row.step): row.n
            for row in rows
            if row.n
        }


async def decisions(engine: AsyncEngine) -> list[str]:
    async with engine.connect() as connection:
        rows = await connection.execute(
            sa.text("SELECT d::text FROM decisions d ORDER BY event_id, source, trigger")
        )
        return list(rows.scalars())


@pytest.mark.parametrize("seed", range(2))
async def test_any_order_and_repetition_ends_in_the_same_tables(
    engine: AsyncEngine, seed: int
) -> None:
    values = lives(seed)
    draw = random.Random(seed)
    shuffled = values + draw.sample(values, len(values) // 3)
    draw.shuffle(shuffled)
    book = Book()

    while shuffled:
        size = draw.choice([1, 7, 40])
        batch, shuffled = shuffled[:size], shuffled[size:]
        await settle(engine, batch, book, abort=True)  # a batch that is lost leaves nothing
        await settle(engine, batch, book)

    assert await funnel(engine) == funnel_of(values)
    known = await decisions(engine)
    await settle(engine, values, Book())
    assert await funnel(engine) == funnel_of(values)
    assert await decisions(engine) == known


async def test_batches_at_the_same_time_neither_lose_nor_double(engine: AsyncEngine) -> None:
    values = lives(11, events=120)
    random.Random(5).shuffle(values)
    parts = [values[start::4] + values[(start + 1) % 4 :: 4] for start in range(4)]

    async def work(part: Any) -> None:
        book = Book()
        for first in range(0, len(part), 25):
            await settle(engine, part[first : first + 25], book)

    await asyncio.gather(*map(work, parts))

    assert await funnel(engine) == funnel_of(values)


async def test_new_dimensions_reach_as_far_back_as_decisions_and_others_keep_what_they_had(
    engine: AsyncEngine,
) -> None:
    values = lives(3)
    await settle(engine, values, Book())
    gone = decision("e-old", "not-sampled", event_time=START - timedelta(days=9))
    await settle(engine, [gone], Book())
    await delete_decisions(engine, START - timedelta(days=5))
    layout = Layout({"product": None, "region": None}, (("region", "product"),))
    wider = Layout({"product": None, "channel": None}, (("product", "channel"),))

    await adopt(engine, layout)
    narrowed = await funnel(engine)
    await adopt(engine, wider)
    await adopt(engine, layout)

    assert narrowed == funnel_of([*values, gone], layout)
    kept = {key: n for key, n in narrowed.items() if key[1] in {"", "product"}}
    anew = {key: n for key, n in funnel_of(values, layout).items() if "region" in key[1]}
    assert await funnel(engine) == kept | anew


async def test_invitations_that_were_known_before_decisions_are_counted(
    engine: AsyncEngine,
) -> None:
    values = lives(4)
    await settle(engine, values, Book())
    async with engine.begin() as connection:  # as the migration leaves them
        await connection.execute(sa.text("DELETE FROM funnel"))
        await connection.execute(sa.text("UPDATE layout SET funnel = false"))

    recounted = await adopt(engine, LAYOUT)

    assert recounted
    assert not await adopt(engine, LAYOUT)
    assert await funnel(engine) == funnel_of(values)


async def test_old_decisions_go_and_their_counts_stay(engine: AsyncEngine) -> None:
    values = lives(6)
    await settle(engine, values, Book())
    before = REGISTRY.get_sample_value(LATE) or 0

    gone = await delete_decisions(engine, START + timedelta(days=1))
    await settle(engine, values, Book(), now=START + timedelta(days=91))

    told = sum(not hasattr(value, "id") for value in values)
    assert gone == len({value.event_id for value in values if not hasattr(value, "id")})
    assert await decisions(engine) == []
    assert REGISTRY.get_sample_value(LATE) == before + told
    assert await funnel(engine) == funnel_of(values)


async def test_what_a_batch_under_way_may_have_taken_for_new_is_not_deleted_yet(
    engine: AsyncEngine,
) -> None:
    await settle(engine, [decision("e-1", decided_at=START)], Book())

    early = await delete_decisions(engine, START + timedelta(minutes=59))
    late = await delete_decisions(engine, START + timedelta(minutes=61))

    assert (early, late) == (0, 1)


async def test_a_letter_that_is_taken_back_is_counted_no_longer(engine: AsyncEngine) -> None:
    event = decision("e-1").event
    sent = invitation("i-1", 2, event=event)

    await settle(engine, [sent], Book())
    once = await funnel(engine)
    await settle(engine, [invitation("i-1", 3, status="undeliverable", event=event)], Book())

    assert {key[-1] for key in once} == {"delivered"}
    assert await funnel(engine) == {}


async def test_a_value_beyond_the_cap_counts_as_other_in_the_funnel_too(
    engine: AsyncEngine,
) -> None:
    book = Book(values_at_most=2)
    values = [
        decision(f"e-{region}", segments={"region": region}) for region in ["A", "B", "C", "D"]
    ]

    await settle(engine, values[:2], book)
    await settle(engine, values[2:], book)

    found = {key[2]: n for key, n in (await funnel(engine)).items() if key[1] == "region"}
    assert found == {("A",): 1, ("B",): 1, ("other",): 2}
