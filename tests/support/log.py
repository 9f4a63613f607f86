"""A log in memory for the loop: a source and a producer that keep what Kafka's keep."""

import asyncio
from collections.abc import Callable, Sequence

from shared.stream import Offsets, Outgoing, Partition, Record
from shared.stream.offsets import Move
from shared.stream.records import Headers

MOST = 2_000


class MemorySource:
    """Records in memory, places in the database. `faults` are raised by the next polls."""

    def __init__(self, offsets: Offsets, topics: Sequence[str], partitions: int = 2) -> None:
        self.offsets = offsets
        self.homes = [Partition(topic, n) for topic in topics for n in range(partitions)]
        self.log: dict[Partition, list[Record]] = {home: [] for home in self.homes}
        self.next_of: dict[Partition, int] = {}
        self.newest_ms = 0
        self.faults: list[Exception] = []
        self.idle_faults: list[Exception] = []
        self.paused: set[str] = set()
        self.most = MOST
        self.idled = 0.0
        self._position: dict[Partition, int] = {}

    @property
    def placed(self) -> bool:
        return len(self.next_of) == len(self.homes)

    def append(self, topic: str, *values: bytes, number: int = 0, headers: Headers = ()) -> None:
        log = self.log[Partition(topic, number)]
        for value in values:
            log.append(Record(topic, number, len(log), None, value, headers, 1_000 + len(log)))

    async def poll(self, wait_s: float, *, ahead: bool = False) -> list[Record]:
        if self.faults:
            raise self.faults.pop(0)
        unplaced = [home for home in self.homes if home not in self.next_of]
        if unplaced:
            stored = await self.offsets.read(unplaced)
            if unknown := set(unplaced) - stored.keys():
                stored |= await self.offsets.start(dict.fromkeys(unknown, 0))
            self.next_of |= stored
            self._position |= stored
        taken: list[Record] = []
        for home in self.homes:
            if home.topic not in self.paused:
                first = self._position[home]
                found = self.log[home][first : first + self.most - len(taken)]
                self._position[home] = first + len(found)
                taken += found
        await asyncio.sleep(0 if taken else min(wait_s, 0.005))
        if not taken and not ahead:
            await self._pass_marks()
        return taken

    async def _pass_marks(self) -> None:
        """As Kafka's does: what was fetched and is not under way held no record."""
        places = [(home, stored, self._position[home]) for home, stored in self.next_of.items()]
        moves = [Move(*place) for place in places if place[1] < place[2]]
        if moves:
            moved = await self.offsets.advance(moves)
            self.next_of |= {move.home: move.new for move in moves if move.home in moved}

    async def idle(self, wait_s: float) -> None:
        if self.idle_faults:
            raise self.idle_faults.pop(0)
        self.idled += wait_s
        await asyncio.sleep(min(wait_s, 0.005))

    def commit_best_effort(self) -> None:
        return

    def lag(self) -> dict[Partition, int]:
        return {home: len(self.log[home]) - stored for home, stored in self.next_of.items()}

    def pause_topic(self, topic: str) -> None:
        self.paused.add(topic)

    def resume_topic(self, topic: str) -> None:
        self.paused.discard(topic)

    def replace(self, home: Partition) -> None:
        self.next_of.pop(home, None)

    def rewind(self, home: Partition) -> None:
        if home in self.next_of:
            self._position[home] = self.next_of[home]


class MemoryProducer:
    """Keeps what was sent; `faults` are raised by the next sends."""

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []
        self.faults: list[Exception] = []
        self.before: Callable[[], None] = lambda: None

    async def send(self, records: Sequence[Outgoing]) -> None:
        if records and self.faults:
            raise self.faults.pop(0)
        if records:
            self.before()
        self.sent += records
