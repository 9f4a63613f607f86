"""Stands in for an AIOKafkaConsumer: what `shared.stream.kafka` asks of one, no more."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError
from aiokafka.structs import ConsumerRecord
from prometheus_client import CollectorRegistry

from shared.stream import Partition, StreamMetrics
from shared.stream.kafka import KafkaSource
from shared.stream.kafka.names import Names
from shared.stream.kafka.places import Places
from shared.stream.offsets import Move

# what a client of aiokafka's knows of its brokers
NOWHERE = SimpleNamespace(hosts=[], cluster=SimpleNamespace(brokers=list))


class RawConsumer:
    """One partition's worth of Kafka per `ends`; `polls` are answered or raised in turn."""

    _client: Any = NOWHERE

    def __init__(self, ends: dict[TopicPartition, int]) -> None:
        self.begins = dict.fromkeys(ends, 0)
        self.ends = ends
        self.assigned: set[TopicPartition] = set()
        self.positions: dict[TopicPartition, int] = {}
        self.paused: set[TopicPartition] = set()
        self.polls: list[Any] = []
        self.faults: list[Exception] = []
        self.committed: list[dict[TopicPartition, int]] = []
        self.started = self.stopped = 0
        self.listener: ConsumerRebalanceListener | None = None
        self.during: Callable[[], object] = lambda: None
        self.fetching: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._fetcher = SimpleNamespace(error_future=self.fetching)

    async def start(self) -> None:
        self.started += 1
        if self.faults:
            raise self.faults.pop(0)

    async def stop(self) -> None:
        self.stopped += 1

    def subscribe(self, topics: Sequence[str], listener: ConsumerRebalanceListener) -> None:
        self.listener = listener

    def assign(self) -> None:
        """Give it all partitions, as a rebalance does."""
        assert self.listener is not None
        self.listener.on_partitions_revoked(self.assigned)
        self.assigned = set(self.ends)
        self.positions.clear()
        self.paused.clear()
        self.listener.on_partitions_assigned(self.assigned)

    def assignment(self) -> set[TopicPartition]:
        return set(self.assigned)

    def _own(self, tp: TopicPartition) -> None:
        if tp not in self.assigned:
            raise IllegalStateError(f"No current assignment for partition {tp}")

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._own(tp)
        self.positions[tp] = offset

    async def position(self, tp: TopicPartition) -> int:
        self._own(tp)
        return self.positions[tp]

    def pause(self, *tps: TopicPartition) -> None:
        for tp in tps:
            self._own(tp)
            self.paused.add(tp)

    def resume(self, *tps: TopicPartition) -> None:
        for tp in tps:
            self._own(tp)
            self.paused.discard(tp)

    def highwater(self, tp: TopicPartition) -> int | None:
        assert tp in self.assigned, "Partition is not assigned"
        return None

    async def getmany(self, timeout_ms: int, max_records: int) -> Any:
        answer = self.polls.pop(0) if self.polls else {}
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def beginning_offsets(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: self.begins[tp] for tp in tps}

    async def end_offsets(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        self.during()
        if self.faults:
            raise self.faults.pop(0)
        return {tp: self.ends[tp] for tp in tps}

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.committed.append(offsets)

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {tp.partition for tp in self.ends if tp.topic == topic}


ZERO, ONE = Partition("t", 0), Partition("t", 1)
TP0, TP1 = TopicPartition("p-t", 0), TopicPartition("p-t", 1)


class Table:
    """The table `offsets` in memory."""

    def __init__(self) -> None:
        self.rows: dict[Partition, int] = {}
        self.ids: dict[Partition, str] = {}
        self.during: Callable[[], object] = lambda: None
        self.elsewhere: dict[Partition, int] = {}  # what another owner begins just before

    async def read(self, homes: Iterable[Partition]) -> dict[Partition, int]:
        return {home: self.rows[home] for home in homes if home in self.rows}

    async def start(self, firsts: Mapping[Partition, int]) -> dict[Partition, int]:
        self.rows = {**firsts, **self.rows}
        return await self.read(firsts)

    async def strangers(self, ids: Mapping[Partition, str]) -> set[Partition]:
        self.ids = {**ids, **self.ids}
        return {home for home, name in ids.items() if self.ids[home] != name}

    async def restart(
        self, ids: Mapping[Partition, str], firsts: Mapping[Partition, int]
    ) -> set[Partition]:
        for home, first in self.elsewhere.items():
            self.rows[home], self.ids[home] = first, ids[home]
        begun = {home for home in firsts if self.ids[home] != ids[home]}
        self.rows |= {home: firsts[home] for home in begun}
        self.ids |= {home: ids[home] for home in begun}
        return begun

    async def jump(self, move: Move) -> bool:
        return bool(await self.advance([move]))

    async def advance(self, moves: Sequence[Move]) -> set[Partition]:
        self.during()
        moved = {move.home: move.new for move in moves if self.rows[move.home] == move.old}
        self.rows |= moved
        return set(moved)


class Stand:
    def __init__(self, ends: dict[TopicPartition, int]) -> None:
        self.raws: list[RawConsumer] = []
        self.ends = ends
        self.table = Table()
        self.registry = CollectorRegistry()
        metrics, names = StreamMetrics(self.registry), Names("p-")
        self.ids: dict[str, str] = {}
        self.places = Places(self.table, metrics, names, self.identify)  # type: ignore[arg-type]
        self.source = KafkaSource(self.build, ["t"], self.places, metrics, names)

    async def identify(self, _client: object, _names: Collection[str]) -> dict[str, str]:
        return self.ids

    def build(self) -> RawConsumer:
        self.raws.append(RawConsumer(self.ends))
        return self.raws[-1]

    @property
    def raw(self) -> RawConsumer:
        return self.raws[-1]

    async def joined(self) -> None:
        await self.source.poll(0)
        self.raw.assign()
        await self.source.poll(0)

    def lost(self) -> float | None:
        return self.registry.get_sample_value("earshot_consumer_gap_records_total", {"topic": "t"})

    def rewound(self) -> float | None:
        name = "earshot_consumer_rewound_partitions_total"
        return self.registry.get_sample_value(name, {"topic": "t"})


def messages(tp: TopicPartition, *offsets: int) -> Sequence[Any]:
    return [
        ConsumerRecord(tp.topic, tp.partition, at, 1, 0, None, b"v", None, -1, 1, ())
        for at in offsets
    ]


async def joined() -> Stand:
    """Two partitions, placed at their beginnings."""
    stand = Stand({TP0: 10, TP1: 20})
    await stand.joined()
    return stand
