"""Columns read from days that another process kept say what the database says."""

import asyncio
import random
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from services.scoring.domain.cells import Layout
from services.scoring.domain.questions import Question
from services.scoring.domain.windows import Window
from services.scoring.store import adopt
from services.scoring.store.columns import Columns, cache
from services.scoring.store.columns.touched import ticks
from services.scoring.store.reader import Reader
from services.scoring.worker.columns import keep
from shared.stream.verdict import judge
from tests.support.embedded import execute
from tests.support.scoring import START, response
from tests.support.scoring_columns import CAP, both, fill, settle
from tests.support.scoring_history import history

LATER = START + timedelta(days=1)
NOW = ticks(START + timedelta(days=9))
NPS = Question("nps")
EVER = [Window(START - timedelta(days=9), START + timedelta(days=9))]


async def started(engine: AsyncEngine) -> Reader:
    """A process that has just filled its columns."""
    reader = Reader(engine, CAP, Columns(100_000, CAP))
    async with asyncio.timeout(10):  # what is begun afresh again and again never ends
        await fill(reader)
    return reader


async def kept(reader: Reader) -> int:
    assert reader.columns is not None
    return await keep(reader.engine, reader.columns, NOW, 0.0)


async def run(engine: AsyncEngine, statement: str) -> None:
    async with engine.begin() as connection:
        await connection.execute(sa.text(statement))


async def n(reader: Reader, question: Question = NPS) -> int:
    async with reader.snapshot() as connection:
        assert reader.columns is not None
        sheet = await reader.columns.groups(connection, question, EVER)
        assert sheet is not None
        return int(sheet.n(0).sum())


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.thorough) for seed in range(1, 8))]
)
async def test_every_start_says_what_the_database_says(
    engines: list[AsyncEngine], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, values = random.Random(seed), history(seed, ids=60)
    if seed % 2:
        monkeypatch.setattr(cache, "DAYS_AT_ONCE", 20)
        monkeypatch.setattr(cache, "CHUNK", 15)
    draw.shuffle(values)
    found = written = 0
    while values:
        size = draw.choice([1, 5, 20])
        batch, values = values[:size], values[size:]
        await settle(draw.choice(engines), batch, CAP)
        if draw.random() < 0.4:
            reader = await started(draw.choice(engines))
            found += await both(reader, draw, 6)
            written += await kept(reader) if draw.random() < 0.7 else 0
    assert found > 10
    assert written > 0


@pytest.mark.parametrize("at_once", [cache.DAYS_AT_ONCE, 5])
async def test_a_start_reads_days_instead_of_answers(
    engines: list[AsyncEngine], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "DAYS_AT_ONCE", at_once)  # or one day, however large
    monkeypatch.setattr(cache, "CHUNK", at_once)
    await settle(engines[0], [response(f"r-{number}") for number in range(30)], CAP)
    assert await kept(await started(engines[0])) == 1
    # behind everybody's back, so that only who reads the days does not know
    await run(engines[0], "UPDATE answers SET answered_at = NULL")
    assert await n(await started(engines[1])) == 30
    await run(engines[0], "DELETE FROM touched WHERE moments = 0")  # as it goes after a while
    assert await n(await started(engines[1])) == 0


async def test_a_day_that_has_no_room_is_read_from_the_answers(engines: list[AsyncEngine]) -> None:
    moments = [START + timedelta(seconds=number) for number in range(30)]
    await settle(engines[0], [response(f"r-{at.second}", answered_at=at) for at in moments], CAP)
    assert await kept(await started(engines[0])) == 1
    columns = Columns(20, CAP)
    async with asyncio.timeout(10):
        await fill(Reader(engines[1], CAP, columns))
    assert columns.held is not None
    assert 10 < columns.held.size <= 20


@pytest.mark.parametrize("other", ["'where the dump came from'", "split_part(system, ' ', 1)"])
async def test_days_of_another_cluster_or_format_are_not_believed(
    engines: list[AsyncEngine], other: str
) -> None:
    await settle(engines[0], [response("r-1")], CAP)
    assert await kept(await started(engines[0])) == 1
    await run(engines[0], "UPDATE answers SET answered_at = NULL")
    await run(engines[0], f"UPDATE days_known SET system = {other}")
    reader = await started(engines[1])
    assert await n(reader) == 0
    assert await kept(reader) == 0  # what was there is forgotten
    assert await n(await started(engines[0])) == 0


async def test_more_touched_than_may_be_owed_is_read_from_the_answers(
    engines: list[AsyncEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "REREAD_AT_MOST", 40)
    await settle(engines[0], [response(f"r-{number}") for number in range(30)], CAP)
    assert await kept(await started(engines[0])) == 1
    await settle(engines[0], [response("r-1", answered_at=LATER)], CAP)
    reader = await started(engines[1])
    assert await n(reader) == 30
    assert await both(reader, random.Random(1), 10) == 10


async def test_a_day_to_which_far_more_was_added_than_it_had_is_read_once(
    engines: list[AsyncEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "REREAD_AT_MOST", 40)
    await settle(engines[0], [response(f"r-{number}") for number in range(30)], CAP)
    assert await kept(await started(engines[0])) == 1
    later = START + timedelta(minutes=1)  # a moment of which the day has nothing
    imported = [response(f"i-{number}", answered_at=later) for number in range(100)]
    await settle(engines[0], imported, CAP)
    reader = await started(engines[1])
    assert await n(reader) == 130
    assert await kept(reader) == 1
    assert await n(await started(engines[0])) == 130


async def test_days_that_another_process_kept_meanwhile_are_weather(
    engines: list[AsyncEngine],
) -> None:
    await settle(engines[0], [response("r-1")], CAP)
    one, other = await started(engines[0]), await started(engines[1])
    assert one.columns is not None
    async with engines[0].connect() as plain:
        connection = await plain.execution_options(isolation_level="REPEATABLE READ")
        await connection.execute(sa.text("SELECT count(*) FROM days"))
        assert await kept(other) == 1
        with pytest.raises(Exception, match="serialize") as raised:
            await one.columns.keep(connection, NOW, 0.0)
    assert judge(raised.value).passes


async def test_without_leave_to_know_the_cluster_columns_fill_from_the_answers(
    engines: list[AsyncEngine],
) -> None:
    await settle(engines[0], [response("r-1")], CAP)
    assert await kept(await started(engines[0])) == 1
    url = engines[0].url.set(username="postgres")  # who has the same password
    revoke = "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC"
    await execute(url.render_as_string(hide_password=False), revoke)
    with capture_logs() as logs:
        reader = await started(engines[1])
        assert await n(reader) == 1
        assert await kept(reader) == 0
    assert len(logs) == 1


async def test_a_recount_forgets_the_days(engines: list[AsyncEngine]) -> None:
    await settle(engines[0], history(5, ids=40), CAP)
    assert await kept(await started(engines[0])) > 0
    await adopt(engines[1], Layout({"region": None, "free": None}), values_at_most=CAP)
    reader, plain = await started(engines[0]), Reader(engines[0], CAP)
    question = Question("nps", by=("free",))
    async with plain.snapshot() as connection:
        expected = int((await plain.groups(connection, question, EVER)).n(0).sum())
    assert await n(reader, question) == expected > 0
    await kept(reader)
    assert await n(await started(engines[1]), question) == expected


async def test_only_one_process_keeps_days_at_a_time(engines: list[AsyncEngine]) -> None:
    await settle(engines[0], [response("r-1")], CAP)
    reader = await started(engines[0])
    assert reader.columns is not None
    assert await keep(engines[0], reader.columns, NOW, 60.0) == 1
    await settle(engines[0], [response("r-2", answered_at=LATER)], CAP)
    assert await keep(engines[0], reader.columns, NOW, 60.0) == 0
    assert await kept(reader) == 1
