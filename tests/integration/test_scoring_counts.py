"""Running counts on real PostgreSQL: any history ends in the same tables."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring.consumer import build_handler
from services.scoring.domain.cells import Layout
from services.scoring.store import Book, SqlLedger, adopt, full_dimensions
from services.scoring.tables import SUMS
from shared.db import open_engine
from shared.events import ScoredResponse
from shared.stream.records import Outgoing
from shared.wire import decode_record, decoder
from tests.support.scoring import LAYOUT, START, invitation, response
from tests.support.scoring_api import settle_by
from tests.support.scoring_history import history, recount

_SCORED = decoder(ScoredResponse)


class Kept:
    """A producer that keeps what it is given."""

    def __init__(self) -> None:
        self.told: list[ScoredResponse] = []

    async def send(self, records: Sequence[Outgoing]) -> None:
        self.told += [decode_record(_SCORED, one.value) for one in records]


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(fresh_database_url, schema="scoring") as opened:
        await adopt(opened, LAYOUT)
        yield opened


async def settle(
    engine: AsyncEngine, values: Any, book: Book, kept: Kept | None = None, *, abort: bool = False
) -> Any:
    handle = build_handler(book, kept or Kept(), lambda _: "transactional", lambda: START)
    await settle_by(handle, engine, values, abort=abort)


async def counts(engine: AsyncEngine) -> dict[tuple[Any, ...], int]:
    """Every number in the running counts that is not 0."""
    async with engine.connect() as connection:
        rows = await connection.execute(sa.text(
            'SELECT s.metric, s.survey, s.slice, s."values", c.* FROM counts c'
            " JOIN series s ON s.id = c.series"
        ))  # fmt: skip
        return {
            (row.metric, row.survey, row.slice, tuple(row.values), row.hour, name): number
            for row in rows
            for name in SUMS
            if (number := getattr(row, name))
        }


async def answers(engine: AsyncEngine) -> list[str]:
    async with engine.connect() as connection:
        rows = await connection.execute(sa.text("SELECT a::text FROM answers a ORDER BY id"))
        return list(rows.scalars())


@pytest.mark.parametrize("seed", range(4))
async def test_any_order_and_repetition_ends_in_the_same_tables(
    engine: AsyncEngine, seed: int
) -> None:
    values = history(seed)
    expected = recount(values)
    draw = random.Random(seed)
    shuffled = values + draw.sample(values, len(values) // 3)
    draw.shuffle(shuffled)
    book = Book()

    while shuffled:
        size = draw.choice([1, 7, 40])
        batch, shuffled = shuffled[:size], shuffled[size:]
        await settle(engine, batch, book, abort=True)  # a batch that is lost leaves nothing
        await settle(engine, batch, book)

    assert await counts(engine) == expected
    known = await answers(engine)
    await settle(engine, values, Book())
    assert await counts(engine) == expected
    assert await answers(engine) == known


async def test_batches_at_the_same_time_neither_lose_nor_double(engine: AsyncEngine) -> None:
    values = history(11, ids=150)
    draw = random.Random(5)
    draw.shuffle(values)
    parts = [values[start::4] + values[(start + 1) % 4 :: 4] for start in range(4)]

    async def work(part: Any) -> Any:
        book = Book()
        for first in range(0, len(part), 25):
            await settle(engine, part[first : first + 25], book)

    await asyncio.gather(*map(work, parts))

    assert await counts(engine) == recount(values)


async def test_only_what_is_new_is_told(engine: AsyncEngine) -> None:
    book, kept = Book(), Kept()

    await settle(engine, [response("r-1", 3), response("r-2", 9)], book, kept)
    await settle(engine, [response("r-1", 3)], book, kept)
    await settle(engine, [invitation("r-2", 1), invitation("r-2", 2)], book, kept)
    await settle(engine, [invitation("r-2", 3, status="expired")], book, kept)

    assert [(one.id, one.version[-1]) for one in kept.told] == [
        ("r-1", "0"),
        ("r-2", "0"),
        ("r-2", "1"),
    ]
    assert kept.told[-1].source is not None
    assert kept.told[-1].source.topic == "survey-invitations"
    assert kept.told[-1].segments == {"region": "EU", "product": "shoes"}


async def test_new_dimensions_are_counted_from_the_first_answer_on(engine: AsyncEngine) -> None:
    values = history(3)
    await settle(engine, values, Book())
    wider = Layout({"channel": None, "product": None, "free": None}, (("free", "channel"),))

    changed = await adopt(engine, wider)
    again = await adopt(engine, wider)
    await settle(engine, [response("late", 5, segments={"free": "text"})], Book())

    assert (changed, again) == (True, False)
    late = response("late", 5, segments={"free": "text"})
    assert await counts(engine) == recount([*values, late], wider)


async def test_a_new_layout_is_not_overtaken_by_batch_after_batch(engine: AsyncEngine) -> None:
    adopted = asyncio.Event()

    async def batches(late_s: float) -> None:
        await asyncio.sleep(late_s)
        while not adopted.is_set():
            async with engine.begin() as connection:
                await SqlLedger.begin(connection, Book())
                await asyncio.sleep(0.05)

    busy = [asyncio.create_task(batches(number * 0.02)) for number in range(3)]
    await asyncio.sleep(0.06)
    async with asyncio.timeout(2):
        changed = await adopt(engine, Layout({"free": None}))
    adopted.set()
    await asyncio.gather(*busy)

    assert changed


async def test_a_dimension_that_explodes_counts_as_other(engine: AsyncEngine) -> None:
    book = Book(values_at_most=3)
    regions = ["A", "B", "C", "D", "E"]
    values = [response(f"r-{region}", 9, segments={"region": region}) for region in regions]

    await settle(engine, values[:2], book)
    await settle(engine, values[2:], book)
    amended = response("r-E", 0, segments={"region": "E"}, answered_at=START + timedelta(minutes=5))
    await settle(engine, [amended], Book(values_at_most=3))

    found = {
        (values, name): number
        for (_, _, names, values, _, name), number in (await counts(engine)).items()
        if names == "region"
    }
    assert found == {
        (("A",), "p9"): 1, (("B",), "p9"): 1, (("C",), "p9"): 1,
        (("other",), "p9"): 1, (("other",), "p0"): 1,
    }  # fmt: skip
    assert await full_dimensions(engine, 3) == ["region"]


async def test_texts_come_back_as_they_were(engine: AsyncEngine) -> None:
    book, kept = Book(), Kept()
    odd = 'äöü "quoted" \\ {braces} \U0001f600 ไทย 한국어\ttab'
    await settle(engine, [response("r-1", 3, comment=odd, reasons=(odd,), channel=odd)], book, kept)

    await settle(engine, [invitation("r-1")], book, kept)

    assert [one.comment for one in kept.told] == [odd, odd]
    assert [one.reasons for one in kept.told] == [(odd,), (odd,)]
    assert kept.told[1].channel == odd
