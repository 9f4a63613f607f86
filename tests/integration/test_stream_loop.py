"""The loop on real PostgreSQL: one poll one transaction, dead letters, the fence."""

import asyncio
from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.stream import Decoded, Partition, Pipeline, StreamMetrics, consume
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


async def test_a_poll_is_one_transaction_and_the_place_is_stored(rig: Rig) -> None:
    rig.source.append(TOPIC, b"a", b"b")
    rig.source.append(TOPIC, b"c", number=1)

    async with rig.running():
        assert await rig.until(3) == ["a", "b", "c"]
        await eventually(lambda: rig.health.fault() is None)

    assert rig.batches == [3]
    assert rig.source.next_of == {HOME: 2, Partition(TOPIC, 1): 1}
    assert (rig.woken, rig.source.newest_ms) == (1, 1_001)
    assert rig.outcomes() == {"ok": 3}


async def test_a_pipeline_may_have_nobody_to_wake(rig: Rig) -> None:
    pipeline = rig.pipeline()
    bare = Pipeline(
        "test", rig.engine, pipeline.decode, write, rig.producer, StreamMetrics(CollectorRegistry())
    )
    rig.source.append(TOPIC, b"a")
    stop = asyncio.Event()
    task = asyncio.create_task(consume(rig.source, bare, stop))
    await rig.until(1)
    stop.set()
    await task

    assert rig.woken == 0


async def test_a_restart_goes_on_where_the_database_stands(rig: Rig) -> None:
    rig.source.append(TOPIC, b"a")
    async with rig.running():
        await rig.until(1)
    rig.source.next_of.clear()
    rig.source.append(TOPIC, b"b")

    async with rig.running():
        words = await rig.until(2)

    assert words == ["a", "b"]


async def test_poison_goes_to_dead_letters_and_the_rest_goes_on(rig: Rig) -> None:
    words = (b"a", b"poison", b"bug", b"bad", b"crash", b"refused", b"\xff", b"b")
    rig.source.append(TOPIC, *words)

    async with rig.running():
        await eventually(lambda: len(rig.producer.sent) == 6)
        await rig.until(2)

    assert sorted(rig.letters()) == [
        ("bad-json", b"poison"),
        ("bug", b"bug"),
        ("bug", b"crash"),
        ("bug", b"\xff"),
        ("database", b"bad"),
        ("unknown-survey", b"refused"),
    ]
    assert rig.outcomes() == {"ok": 2, "dead-letter": 6}
    assert {log["sqlstate"] for log in rig.logs if "sqlstate" in log} == {"23514"}
    assert rig.source.next_of[HOME] == len(words)


async def test_a_huge_record_and_one_that_is_no_utf8_cost_only_themselves(rig: Rig) -> None:
    rig.source.append(TOPIC, b"\xff" * 2_000_000, b"x" * 2_000_000, b"a")

    async with rig.running():
        words = await rig.until(2)

    assert words == ["a", "x" * 2_000_000]
    ((reason, kept),) = rig.letters()
    assert (reason, len(kept or b"")) == ("bug", 256 * 1024)


async def test_a_batch_whose_partitions_are_all_revoked_is_dropped(rig: Rig) -> None:
    async def revoked(items: Sequence[Decoded], connection: AsyncConnection) -> None:
        if len(rig.batches) == 1:
            rig.source.next_of.clear()
            raise ConnectionResetError
        await write(items, connection)

    rig.handle = revoked
    rig.source.append(TOPIC, b"a", b"b")

    async with rig.running():
        assert await rig.until(2) == ["a", "b"]

    assert rig.batches == [2, 2]


async def test_a_partition_revoked_in_the_middle_of_a_batch_is_left_to_its_owner(rig: Rig) -> None:
    async def revoked(items: Sequence[Decoded], connection: AsyncConnection) -> None:
        if len(rig.batches) == 1:
            rig.source.next_of.pop(HOME)
            raise ConnectionResetError
        await write(items, connection)

    rig.handle = revoked
    rig.source.append(TOPIC, b"a")
    rig.source.append(TOPIC, b"b", number=1)

    async with rig.running():
        assert await rig.until(2) == ["a", "b"]

    assert rig.batches[:2] == [2, 1]


async def test_what_is_committed_during_a_rebalance_is_not_taken_again(rig: Rig) -> None:
    async def revoked(items: Sequence[Decoded], connection: AsyncConnection) -> None:
        await write(items, connection)
        rig.source.next_of.clear()

    rig.handle = revoked
    rig.source.append(TOPIC, b"a")

    async with rig.running():
        await rig.until(1)
        await eventually(lambda: rig.source.next_of.get(HOME) == 1)

        assert await rig.words() == ["a"]


async def test_a_moved_offset_fences_the_stale_owner(rig: Rig) -> None:
    rig.source.append(TOPIC, b"a")
    async with rig.running():
        await rig.until(1)
        await rig.execute("UPDATE offsets SET next = next + 1 WHERE partition = 0")
        rig.source.append(TOPIC, b"taken by another", b"b")
        rig.source.append(TOPIC, b"c", number=1)

        assert await rig.until(3) == ["a", "b", "c"]

    assert rig.counted("fenced_partitions_total") == 1


async def test_lag_is_shown_per_topic_and_falls_to_zero(engine: AsyncEngine) -> None:
    rig = Rig(engine, (TOPIC, OPTOUTS))
    rig.source.append(TOPIC, b"a", b"b")
    rig.source.pause_topic(TOPIC)

    async with rig.running():
        await eventually(lambda: rig.counted("lag_records", topic=TOPIC) == 2)
        rig.source.resume_topic(TOPIC)
        await eventually(lambda: rig.counted("lag_records", topic=TOPIC) == 0)

    assert rig.counted("lag_records", topic=OPTOUTS) == 0
