"""The next poll is read while a batch is settled, and nothing is lost or taken twice by that."""

import asyncio
from collections.abc import Sequence

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.stream import Decoded, Offsets, Partition, Pipeline, Record, Source
from shared.stream.batch import settle
from tests.support.log import MOST, MemorySource
from tests.support.stream import TOPIC, Rig, engine, eventually, module_database_url, write

__all__ = ["engine", "module_database_url"]

HOME, OTHER = Partition(TOPIC, 0), Partition(TOPIC, 1)
MANY = 2 * MOST + 500


class Gated(MemorySource):
    """Says when it is polled a second time, and can keep that poll waiting."""

    def __init__(self, offsets: Offsets, topics: Sequence[str]) -> None:
        super().__init__(offsets, topics)
        self.polls = 0
        self.ahead = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def poll(self, wait_s: float, *, ahead: bool = False) -> list[Record]:
        self.polls += 1
        if self.polls > 1:
            await self.gate.wait()
        taken = await super().poll(wait_s, ahead=ahead)
        if self.polls > 1:
            self.ahead.set()
        return taken


@pytest.fixture
def rig(engine: AsyncEngine) -> Rig:
    rig = Rig(engine)
    rig.source = Gated(rig.source.offsets, (TOPIC,))
    return rig


def gated(rig: Rig) -> Gated:
    assert isinstance(rig.source, Gated)
    return rig.source


def words(count: int) -> list[bytes]:
    return [f"{number:05}".encode() for number in range(count)]


def fail_once(rig: Rig, fault: Exception) -> None:
    """The first batch fails, once the next poll has come."""
    faults = [fault]

    async def failing(items: Sequence[Decoded], connection: AsyncConnection) -> None:
        await gated(rig).ahead.wait()
        if faults:
            raise faults.pop()
        await write(items, connection)

    rig.handle = failing


async def all_once(rig: Rig, count: int = MANY) -> None:
    await rig.until(count)
    assert await rig.words() == [word.decode() for word in words(count)]


async def test_the_next_poll_comes_while_a_batch_is_settled(rig: Rig) -> None:
    rig.source.append(TOPIC, *words(MANY))

    async def slowly(items: Sequence[Decoded], connection: AsyncConnection) -> None:
        await asyncio.wait_for(gated(rig).ahead.wait(), 5)
        await write(items, connection)

    rig.handle = slowly
    async with rig.running():
        await all_once(rig)
    assert rig.batches == [MOST, MOST, MANY - 2 * MOST]


async def test_of_a_few_records_nothing_is_read_ahead(rig: Rig) -> None:
    rig.source.append(TOPIC, *words(999))

    async def slowly(items: Sequence[Decoded], connection: AsyncConnection) -> None:
        await asyncio.sleep(0.05)
        assert gated(rig).polls == 1
        await write(items, connection)

    rig.handle = slowly
    async with rig.running():
        await all_once(rig, 999)


@pytest.mark.parametrize("fault", [OSError("away"), ZeroDivisionError()])
async def test_what_follows_a_batch_that_fails_is_read_again(rig: Rig, fault: Exception) -> None:
    rig.source.append(TOPIC, *words(MANY))
    fail_once(rig, fault)
    async with rig.running():
        await all_once(rig)
    assert rig.letters() == []


async def test_a_batch_that_fails_and_that_nothing_follows_is_tried_again(rig: Rig) -> None:
    rig.source.append(TOPIC, *words(1_500))
    fail_once(rig, OSError("away"))
    async with rig.running():
        await all_once(rig, 1_500)


async def test_what_is_settled_late_is_not_passed_over(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who reads ahead finds nothing, long before the batch has its connection."""
    rig.source.append(TOPIC, *words(1_500))

    async def late(
        batch: Sequence[Decoded], source: Source, pipeline: Pipeline
    ) -> Sequence[Record]:
        await gated(rig).ahead.wait()
        await asyncio.sleep(0.05)
        return await settle(batch, source, pipeline)

    monkeypatch.setattr("shared.stream.loop.settle", late)
    async with rig.running():
        await all_once(rig, 1_500)


async def test_what_follows_is_given_up_when_its_partition_has_another_owner(rig: Rig) -> None:
    rig.source.append(TOPIC, *words(MANY))
    stolen = False

    async def stealing(items: Sequence[Decoded], connection: AsyncConnection) -> None:
        nonlocal stolen
        await gated(rig).ahead.wait()
        await write(items, connection)
        if not stolen:
            stolen = True
            raise OSError("away")

    async def steal() -> None:
        """As another owner would: it has settled the first batch and a hundred more."""
        await eventually(lambda: stolen)
        await rig.execute(
            "INSERT INTO seen SELECT lpad(n::text, 5, '0') FROM generate_series(0, 2099) n"
        )
        await rig.execute("UPDATE offsets SET next = 2100 WHERE partition = 0")

    rig.handle = stealing
    async with rig.running():
        await steal()
        await all_once(rig)


async def test_what_was_placed_anew_before_the_commit_is_not_taken_twice(rig: Rig) -> None:
    rig.source.append(TOPIC, *words(MANY))
    source = gated(rig)
    source.gate.clear()
    rebalanced = False

    async def rebalancing(items: Sequence[Decoded], connection: AsyncConnection) -> None:
        nonlocal rebalanced
        await write(items, connection)
        if not rebalanced:
            rebalanced = True
            source.most = MANY
            source.next_of.clear()  # taken from us, and given to us again:
            source.gate.set()  # the poll reads where it stands before this batch is committed
            await source.ahead.wait()

    rig.handle = rebalancing
    async with rig.running():
        await all_once(rig)


async def test_what_was_read_ahead_of_a_revoked_partition_is_dropped(rig: Rig) -> None:
    rig.source.append(TOPIC, *words(MOST))
    rig.source.append(TOPIC, *(b"1" + word for word in words(1_500)), number=1)

    async def revoked(items: Sequence[Decoded], connection: AsyncConnection) -> None:
        await gated(rig).ahead.wait()
        rig.source.next_of.pop(OTHER, None)
        await write(items, connection)
        rig.handle = write

    rig.handle = revoked
    async with rig.running():
        await rig.until(MOST + 1_500)
    found = await rig.words()
    assert len(found) == len(set(found)) == MOST + 1_500


async def test_a_stop_waits_for_the_poll_and_loses_nothing(rig: Rig) -> None:
    rig.source.append(TOPIC, *words(MANY))

    async def once(items: Sequence[Decoded], connection: AsyncConnection) -> None:
        await gated(rig).ahead.wait()
        await write(items, connection)

    rig.handle = once
    async with rig.running():
        await rig.until(MOST)
    async with rig.engine.connect() as connection:
        stored = (
            await connection.execute(sa.text("SELECT next FROM offsets WHERE partition = 0"))
        ).scalar_one()
    assert len(await rig.words()) == stored

    async with rig.running():
        await all_once(rig)
