"""Whatever happens, the columns say what the database says in the same snapshot."""

import asyncio
import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring.domain.cells import Layout
from services.scoring.domain.questions import Question
from services.scoring.domain.windows import Window
from services.scoring.store import adopt
from services.scoring.store.columns import (
    Columns,
    cache,
    counting,
    entries,
    finding,
    loading,
    places,
    touched,
)
from services.scoring.store.columns.touched import Touched
from services.scoring.store.reader import Reader
from tests.support.scoring import START, response
from tests.support.scoring_columns import CAP, both, fill, settle, told
from tests.support.scoring_history import history

NOW = START + timedelta(days=5)
ALL = [Window(START - timedelta(days=9), START + timedelta(days=9))]


def reader_on(engine: AsyncEngine, at_most: int = 100_000) -> Reader:
    return Reader(engine, CAP, Columns(at_most, CAP))


async def count(reader: Reader, question: Question) -> int:
    async with reader.snapshot() as connection:
        assert reader.columns is not None
        sheet = await reader.columns.groups(connection, question, ALL)
        assert sheet is not None
        return int(sheet.n(0).sum())


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.thorough) for seed in (1, 2))]
)
async def test_columns_say_what_the_database_says_after_every_batch(
    engines: list[AsyncEngine], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if seed:  # as if there could be more segments than are counted as they are, or listed
        monkeypatch.setattr(counting, "DIRECT", 0)
        monkeypatch.setattr(finding, "DIRECT", 0)
        monkeypatch.setattr(places, "_LISTED", [0, 100, 0][seed])
        monkeypatch.setattr(entries, "_PIECE", 8)
        monkeypatch.setattr(cache, "LOOSE_AT_MOST", 15 * seed)
    draw, values = random.Random(seed), history(seed, ids=60)
    values += draw.sample(values, 20)
    draw.shuffle(values)
    readers = [reader_on(engines[0]), reader_on(engines[1], at_most=60)]
    found = [0, 0]
    while values:
        size = draw.choice([1, 5, 20])
        batch, values = values[:size], values[size:]
        await settle(draw.choice(engines), batch, CAP)
        for number, reader in enumerate(readers):
            if draw.random() < 0.5:
                await fill(reader)
            found[number] += await both(reader, draw, 6)
    assert found[0] > 60
    assert found[1] > 5


@pytest.mark.thorough
async def test_loose_entries_are_folded_into_stretches(
    engines: list[AsyncEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "LOOSE_AT_MOST", 30)
    reader, draw, values = reader_on(engines[0]), random.Random(8), history(8, ids=60)
    draw.shuffle(values)
    await fill(reader)
    for first in range(0, len(values), 15):
        await settle(engines[1], values[first : first + 15], CAP)
        assert await both(reader, draw, 4) == 4
        await fill(reader)
        assert reader.columns is not None
        assert reader.columns.held is not None
        assert reader.columns.held.loose <= 30
        assert await both(reader, draw, 4) == 4


async def test_more_touched_than_can_be_read_at_once_begins_afresh(
    engines: list[AsyncEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "REREAD_AT_MOST", 10)
    reader, draw = reader_on(engines[0]), random.Random(3)
    await fill(reader)
    await settle(engines[1], history(3, ids=60), CAP)
    assert await both(reader, draw, 10) == 0
    await fill(reader)
    assert await both(reader, draw, 10) == 10


async def test_another_server_is_not_taken_for_the_one_that_was_read(
    engines: list[AsyncEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, read = reader_on(engines[0]), touched.read_touched

    async def elsewhere(*told: Any) -> Touched:
        return replace(await read(*told), server="promoted in its place")

    await fill(reader)
    async with reader.snapshot() as connection:
        assert reader.columns is not None
        assert await reader.columns.groups(connection, Question("nps"), ALL) is not None
    monkeypatch.setattr(cache, "read_touched", elsewhere)
    async with reader.snapshot() as connection:
        assert await reader.columns.groups(connection, Question("nps"), ALL) is None


async def test_what_has_no_room_is_forgotten_and_read_again_once(
    engines: list[AsyncEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "_PIECE", 8)
    reader, draw, values = reader_on(engines[0], at_most=100), random.Random(9), history(9, ids=40)
    draw.shuffle(values)
    await settle(engines[1], values[:60], CAP)
    await fill(reader)
    assert reader.columns is not None
    before = reader.columns.held
    await settle(engines[1], values[60:], CAP)
    reader.columns.at_most = 70
    await both(reader, draw, 5)
    after = reader.columns.held
    assert before is not None
    assert after is not None
    assert after.start > before.start
    async with reader.snapshot() as connection:  # an event may be of any time
        recent, by_event = [Window(NOW, NOW + timedelta(days=1))], Question("nps", on_event=True)
        assert await reader.columns.groups(connection, Question("nps"), recent) is not None
        assert await reader.columns.groups(connection, by_event, recent) is None
    reader.columns.at_most = 10_000
    await fill(reader)
    assert await both(reader, draw, 30) == 30


async def test_what_is_touched_while_a_chunk_is_read_is_read_again(
    engines: list[AsyncEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, read = reader_on(engines[0]), loading.chunk_before
    await settle(engines[1], [response("r-1", 3), response("r-2", 9)], CAP)

    async def meanwhile(*told: object) -> int:
        later = START + timedelta(seconds=1)
        await settle(engines[1], [response("r-1", 4, answered_at=later), response("r-3")], CAP)
        async with reader.snapshot():
            pass  # another question sees it first
        return await read(*told)  # type: ignore[arg-type]

    monkeypatch.setattr(cache, "chunk_before", meanwhile)
    await fill(reader)
    assert await count(reader, Question("nps")) == 3
    assert await both(reader, random.Random(1), 20) == 20


async def test_a_question_keeps_to_its_snapshot_while_others_go_on(
    engines: list[AsyncEngine],
) -> None:
    reader = reader_on(engines[0])
    await settle(engines[0], [response("r-1")], CAP)
    await fill(reader)
    async with reader.snapshot() as before:
        assert reader.columns is not None
        await settle(engines[1], [response("r-2")], CAP)
        assert await count(reader, Question("nps")) == 2
        sheet = await reader.columns.groups(before, Question("nps"), ALL)
        assert sheet is not None
        assert sheet.n(0).sum() == 1


async def test_an_uncommitted_batch_is_seen_once_it_is_committed(
    engines: list[AsyncEngine],
) -> None:
    reader = reader_on(engines[0])
    await fill(reader)
    slow, quick = engines[1], engines[0]
    async with slow.begin() as connection:  # its transaction is older than all that follow
        await connection.execute(sa.text("SELECT pg_current_xact_id()"))
        await connection.execute(sa.text(
            "INSERT INTO touched (firsts, lasts, moments) VALUES (:at, :at, 1)"
        ), {"at": [int(START.timestamp()) * 1_000_000]})  # fmt: skip
        await connection.execute(sa.text(
            "INSERT INTO answers (id, answered_at, survey, metric, scale, score, segments)"
            " VALUES ('slow', :at, 'post-delivery', 'nps', 10, 9, '{}')"
        ), {"at": START})  # fmt: skip
        await connection.execute(sa.text(
            "INSERT INTO series VALUES (1, 'nps', 10, 'post-delivery', '', '{}')"
        ))  # fmt: skip
        moment = START + timedelta(days=1)
        await settle(quick, [response("quick", survey="other", answered_at=moment)], CAP)
        assert await count(reader, Question("nps")) == 1
    assert await count(reader, Question("nps")) == 2


async def test_a_recount_and_new_dimensions_are_seen(engines: list[AsyncEngine]) -> None:
    reader, draw = reader_on(engines[0]), random.Random(5)
    await settle(engines[0], history(5, ids=40), CAP)
    await fill(reader)
    assert await both(reader, draw, 10) == 10
    await adopt(engines[1], Layout({"region": None, "free": None}), values_at_most=CAP)
    async with reader.snapshot() as connection:
        assert reader.columns is not None
        question = Question("nps", by=("free",))
        assert await reader.columns.groups(connection, question, ALL) is None
        assert await reader.columns.groups(connection, Question("nps"), ALL) is None
    await fill(reader)
    async with reader.snapshot() as connection:
        sheet = await reader.columns.groups(connection, question, ALL)
        plain = await Reader(engines[0], CAP).groups(connection, question, ALL)
        assert sheet is not None
        assert told(sheet) == told(plain) != {}
        by_product = Question("nps", by=("product",))
        assert await reader.columns.groups(connection, by_product, ALL) is None


async def test_many_ask_while_batches_come(engines: list[AsyncEngine]) -> None:
    reader, values = reader_on(engines[0]), history(11, ids=60)
    await fill(reader)

    async def write() -> None:
        for first in range(0, len(values), 5):
            await settle(engines[1], values[first : first + 5], CAP)

    async def ask(seed: int) -> None:
        for turn in range(12):
            await both(reader, random.Random(seed * 100 + turn), 3)

    await asyncio.gather(write(), *(ask(seed) for seed in range(4)))
    assert await both(reader, random.Random(0), 20) == 20
