"""What a poll takes, of a client that empties one partition after another as aiokafka does."""

from collections import Counter
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError, TopicAuthorizationFailedError

from shared.stream.kafka.shares import MAX_RECORDS, Shares, Taken

HOMES = [TopicPartition(topic, number) for topic in ("a", "b", "c") for number in range(12)]
FETCHED = 4_000  # of a partition in one answer of the broker


class Buffers:
    """What was fetched of each partition, and what the broker has beside that; or a fault."""

    def __init__(self, waiting: dict[TopicPartition, int]) -> None:
        self._broker = {home: iter(range(number)) for home, number in waiting.items()}
        self._held: dict[TopicPartition, list[int] | KafkaError] = {}
        for home in waiting:
            self.refill(home)

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(HOMES)

    def fail(self, home: TopicPartition, error: KafkaError) -> None:
        self._held[home] = error

    def refill(self, home: TopicPartition) -> None:
        held = [n for _, n in zip(range(FETCHED), self._broker.get(home, ()), strict=False)]
        if held:
            self._held[home] = held

    async def getmany(self, *homes: TopicPartition, timeout_ms: int, max_records: int) -> Taken:
        drained: Taken = {}
        for home, held in list(self._held.items()):
            if homes and home not in homes:
                continue
            if isinstance(held, KafkaError):
                if drained:
                    return drained
                del self._held[home]
                raise held
            drained[home] = held[:max_records]
            max_records -= len(drained[home])
            self._held[home] = held[len(drained[home]) :]
            if not self._held[home]:
                del self._held[home]
                self.refill(home)
            if not max_records:
                break
        return drained


async def taken_by(shares: Shares, buffers: Any) -> Taken:
    taken: Taken = {}
    await shares.take(buffers, taken, 0)
    return taken


@pytest.mark.parametrize("waiting", [1, 2, 8, 12, 16, 24, 25, 36])
async def test_a_backlog_of_some_partitions_is_taken_alike_and_wholly(waiting: int) -> None:
    buffers, shares = Buffers(dict.fromkeys(HOMES[:waiting], 10_000)), Shares()
    came: dict[TopicPartition, list[int]] = {home: [] for home in HOMES[:waiting]}
    leads, sizes = [], Counter[int]()
    while any(len(records) < 10_000 for records in came.values()):
        taken = await taken_by(shares, buffers)
        sizes[sum(map(len, taken.values()))] += 1
        for home, records in taken.items():
            came[home] += records
        going = [len(records) for records in came.values() if len(records) < 10_000]
        leads.append(max(going, default=0) - min(going, default=0))

    assert all(records == list(range(10_000)) for records in came.values())
    assert max(sizes) <= MAX_RECORDS
    assert sizes.most_common(1)[0][0] > MAX_RECORDS - MAX_RECORDS // len(HOMES)
    assert max(leads) <= MAX_RECORDS // 2


async def test_few_records_come_in_one_call() -> None:
    buffers = Buffers(dict.fromkeys(HOMES[:5], 10))

    assert {home: len(r) for home, r in (await taken_by(Shares(), buffers)).items()} == (
        dict.fromkeys(HOMES[:5], 10)
    )


async def test_a_partition_that_is_gone_keeps_nothing_back_and_is_told_at_once_after() -> None:
    buffers, shares = Buffers(dict.fromkeys(HOMES[:12], 50_000)), Shares()
    await taken_by(shares, buffers)
    buffers.fail(HOMES[5], OffsetOutOfRangeError({HOMES[5]: 7}))

    taken = await taken_by(shares, buffers)

    assert taken.keys() == set(HOMES[:12]) - {HOMES[5]}
    with pytest.raises(OffsetOutOfRangeError):
        await taken_by(shares, buffers)
    assert await taken_by(shares, buffers)


async def test_one_topic_that_may_not_be_read_stops_no_other() -> None:
    buffers, shares = Buffers(dict.fromkeys(HOMES[:12], 50_000)), Shares()
    came = faults = 0
    for _ in range(20):
        buffers.fail(HOMES[30], TopicAuthorizationFailedError("c"))
        try:
            came += sum(map(len, (await taken_by(shares, buffers)).values()))
        except TopicAuthorizationFailedError:
            faults += 1

    assert faults == 10
    assert came > 9 * MAX_RECORDS
