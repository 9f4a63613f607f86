"""The book of the columns: each value keeps its name, in whatever order and thread it is read."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring.domain.questions import Question
from services.scoring.domain.windows import Window
from services.scoring.store import adopt
from services.scoring.store.columns import Columns, cache
from services.scoring.store.columns.book import CodeBook, Names
from services.scoring.store.reader import Reader
from shared.db import open_engine
from tests.support.scoring import LAYOUT, START, response
from tests.support.scoring_columns import both, fill, settle, told

CAP = 3
ALL = [Window(START - timedelta(days=9), START + timedelta(days=9))]


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(fresh_database_url, schema="scoring") as opened:
        await adopt(opened, LAYOUT, values_at_most=CAP)
        yield opened


async def test_a_full_dimensions_values_are_known_that_only_older_answers_have(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "CHUNK", 4)  # the newest four are held first: of no known value
    regions = ["A", "B", "C", *("beyond" for _ in range(9))]
    for number, region in enumerate(regions):
        at = START + timedelta(minutes=number)
        one = response(f"r-{number}", answered_at=at, segments={"region": region})
        await settle(engine, [one], CAP)
    reader = Reader(engine, CAP, Columns(1_000, CAP))
    await fill(reader)
    question = Question("nps", by=("region",))
    async with reader.snapshot() as connection:
        assert reader.columns is not None
        sheet = await reader.columns.groups(connection, question, ALL)
        plain = await Reader(engine, CAP).groups(connection, question, ALL)
    assert sheet is not None
    assert {key[1] for key in told(plain)} == {("A",), ("B",), ("C",), ("other",)}
    assert told(sheet) == told(plain)
    assert await both(reader, random.Random(2), 10) == 10


async def test_codes_are_those_of_one_moment_while_values_are_added() -> None:
    draw = np.random.default_rng(4)
    hashes = np.unique(draw.integers(1, 2**62, 6_000))
    draw.shuffle(hashes)
    known = len(hashes) // 2
    names: Names[str] = Names(list(map(str, hashes[:known])), hashes[:known].tolist())
    asked = np.tile(hashes[:known], 40)
    right = np.tile(np.arange(known), 40)

    def read() -> int:
        return sum(int((names.codes(asked) != right).sum()) for _ in range(12))

    reading = asyncio.ensure_future(asyncio.to_thread(read))
    for hashed in hashes[known:].tolist():
        names.add([str(hashed)], [hashed])
        await asyncio.sleep(0)
    assert await reading == 0


async def test_kinds_and_surveys_are_those_of_their_line_while_lines_are_added() -> None:
    book = CodeBook((), CAP, seed=1, other=1)
    asked = np.arange(100, 103)

    def split() -> tuple[list[int], list[int]]:
        kinds, surveys = book.split(asked)
        return kinds.tolist(), surveys.tolist()

    book.name_lines([("nps", 10, "a"), ("csat", 5, "a"), ("nps", 10, "b")], [100, 101, 102])
    before = split()
    assert [book.kinds_of("nps"), book.kinds_of("csat")] == [{before[0][0]: 10}, {before[0][1]: 5}]
    assert before[0][0] == before[0][2] != before[0][1]
    assert before[1][0] == before[1][1] != before[1][2]
    splitting = [asyncio.to_thread(split) for _ in range(200)]
    for number in range(200):
        book.name_lines([("ces", number, f"s{number}")], [1_000 + number])
    assert all(one == before for one in await asyncio.gather(*splitting))
