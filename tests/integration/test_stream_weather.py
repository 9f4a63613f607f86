"""The loop in bad weather, at every step: it waits, and nothing is lost or counted twice."""

from collections.abc import Sequence

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.stream import Decoded, KafkaUnavailable, Partition
from tests.support.stream import (
    TOPIC,
    Rig,
    engine,
    eventually,
    module_database_url,
    write,
)

__all__ = ["engine", "module_database_url"]

HOME = Partition(TOPIC, 0)
OPTOUTS = "survey-optouts"


@pytest.fixture
def rig(engine: AsyncEngine) -> Rig:
    return Rig(engine)


async def test_dead_letters_are_sent_before_the_commit(rig: Rig) -> None:
    rig.source.append(TOPIC, b"a", b"poison")
    rig.producer.faults = [KafkaUnavailable("away")]
    seen: list[int] = []

    async with rig.running():
        await eventually(lambda: rig.counted("retries_total") == 1)
        assert await rig.words() == []
        rig.producer.before = lambda: seen.append(rig.source.next_of[HOME])
        await rig.until(1)

    assert seen == [0]
    assert rig.letters() == [("bad-json", b"poison")]


async def test_weather_while_polling_ends_nothing(rig: Rig) -> None:
    rig.source.faults = [KafkaUnavailable("away"), ConnectionResetError(), TimeoutError()]
    rig.source.append(TOPIC, b"a")

    async with rig.running():
        await eventually(lambda: rig.health.weather is not None and rig.source.idled > 0)
        assert await rig.until(1) == ["a"]

    assert rig.counted("retries_total") == 3
    assert rig.health.fault() is None


async def test_weather_while_waiting_for_better_weather_ends_nothing(rig: Rig) -> None:
    rig.source.faults = [KafkaUnavailable("away")]
    rig.source.idle_faults = [KafkaUnavailable("still away"), ConnectionResetError()]
    rig.source.append(TOPIC, b"a")

    async with rig.running():
        assert await rig.until(1) == ["a"]


async def test_a_bug_while_waiting_for_better_weather_ends_the_loop(rig: Rig) -> None:
    rig.source.faults = [KafkaUnavailable("away")]
    rig.source.idle_faults = [ZeroDivisionError()]

    with pytest.raises(ZeroDivisionError):
        async with rig.running() as task:
            await task


async def test_a_bug_in_the_source_ends_the_loop(rig: Rig) -> None:
    rig.source.faults = [ZeroDivisionError()]

    with pytest.raises(ZeroDivisionError):
        async with rig.running() as task:
            await task


async def test_a_missing_table_is_weather(rig: Rig) -> None:
    await rig.execute("ALTER TABLE seen RENAME TO away")
    rig.source.append(TOPIC, b"a customer's words", b"b")

    async with rig.running():
        await eventually(lambda: "does not exist" in (rig.health.fault() or ""))
        assert "words" not in (rig.health.fault() or "")
        await rig.execute("ALTER TABLE away RENAME TO seen")

        assert await rig.until(2) == ["a customer's words", "b"]
        await eventually(lambda: rig.health.fault() is None)

    assert rig.letters() == []
    assert "words" not in str(rig.logs)


@pytest.mark.parametrize("step", ["before", "after"])
async def test_a_killed_backend_in_the_middle_of_a_batch_loses_nothing(rig: Rig, step: str) -> None:
    kills = 2

    async def killed(items: Sequence[Decoded], connection: AsyncConnection) -> None:
        nonlocal kills
        if step == "after":
            await write(items, connection)
        if kills:
            kills -= 1
            pid = (await connection.execute(sa.text("SELECT pg_backend_pid()"))).scalar_one()
            await rig.execute(f"SELECT pg_terminate_backend({pid}, 1000)")
        if step == "before":
            await write(items, connection)

    rig.handle = killed
    rig.source.append(TOPIC, *[b"%d" % n for n in range(50)])

    async with rig.running():
        assert await rig.until(50) == sorted(str(n) for n in range(50))

    assert rig.counted("retries_total") == 2
    assert rig.letters() == []


async def test_a_commit_that_was_done_but_not_heard_of_counts_once(rig: Rig) -> None:
    async def lost(items: Sequence[Decoded], connection: AsyncConnection) -> None:
        await write(items, connection)
        if len(rig.batches) == 1:
            await connection.commit()
            raise ConnectionResetError("the reply is lost")

    rig.handle = lost
    rig.source.append(TOPIC, b"a", b"b")
    async with rig.running():
        await rig.until(2)
        rig.source.append(TOPIC, b"c")
        words = await rig.until(3)

    assert words == ["a", "b", "c"]
    assert rig.outcomes() == {"fenced": 2, "ok": 1}


async def test_a_batch_that_takes_too_long_is_tried_in_halves(rig: Rig) -> None:
    async def slow(items: Sequence[Decoded], connection: AsyncConnection) -> None:
        if len(items) > 2:
            raise TimeoutError
        await write(items, connection)

    rig.handle = slow
    rig.source.append(TOPIC, *[b"%d" % n for n in range(8)])

    async with rig.running():
        await rig.until(8)

    assert rig.batches == [8, 4, 2, 2, 4, 2, 2]
    assert rig.letters() == []


async def test_stop_in_bad_weather_is_quick_and_takes_nothing(rig: Rig) -> None:
    await rig.execute("ALTER TABLE seen RENAME TO away")
    rig.source.append(TOPIC, b"a")

    async with rig.running():
        await eventually(lambda: rig.counted("retries_total") >= 2)

    assert rig.source.next_of[HOME] == 0
