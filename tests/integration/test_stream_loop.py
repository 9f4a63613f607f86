"""The loop on real PostgreSQL: one poll one transaction, dead letters, weather, the fence."""

from collections.abc import AsyncIterator, Iterator, Sequence

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.db import open_engine
from shared.embedded.system import Embedded
from shared.stream import Decoded, KafkaUnavailable, Partition
from tests.support.embedded import cloned_database
from tests.support.stream import TOPIC, Rig, eventually, make_tables, write

HOME = Partition(TOPIC, 0)
OPTOUTS = "survey-optouts"


@pytest.fixture(scope="module")
def module_database_url(servers: Embedded) -> Iterator[str]:
    with cloned_database(servers.database_url, "template1") as url:
        yield url


@pytest.fixture
async def engine(module_database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(module_database_url, schema="public") as engine:
        await make_tables(engine)
        yield engine


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


KILL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE state LIKE 'idle in transaction%' AND datname = current_database()"
)


@pytest.mark.parametrize("step", ["before", "after"])
async def test_a_killed_backend_in_the_middle_of_a_batch_loses_nothing(rig: Rig, step: str) -> None:
    kills = 2

    async def killed(items: Sequence[Decoded], connection: AsyncConnection) -> None:
        nonlocal kills
        if step == "after":
            await write(items, connection)
        if kills:
            kills -= 1
            await rig.execute(KILL)
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


async def test_lag_is_shown_per_topic_and_falls_to_zero(engine: AsyncEngine) -> None:
    rig = Rig(engine, (TOPIC, OPTOUTS))
    rig.source.append(TOPIC, b"a", b"b")
    rig.source.pause_topic(TOPIC)

    async with rig.running():
        await eventually(lambda: rig.counted("lag_records", topic=TOPIC) == 2)
        rig.source.resume_topic(TOPIC)
        await eventually(lambda: rig.counted("lag_records", topic=TOPIC) == 0)

    assert rig.counted("lag_records", topic=OPTOUTS) == 0
