"""The consumer of a service: all its topics, placed by the database, never by Kafka.

It joins its group in the background: `poll` is bounded, whatever the broker does.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from shared.stream.kafka.client import Client, Fetched
from shared.stream.kafka.commits import Commits
from shared.stream.kafka.marks import pass_marks
from shared.stream.kafka.names import Names
from shared.stream.kafka.places import Places, edges
from shared.stream.metrics import StreamMetrics
from shared.stream.records import KafkaUnavailable, Partition, Record

_log = structlog.get_logger()
_LOOK_S: Final = 2.0


class KafkaSource(ConsumerRebalanceListener):  # type: ignore[misc]
    """Polls records of partitions that stand where the database says.

    `next_of` maps each placed partition to its stored `next`; `replace` forgets a placement, so
    that it is read again before the partition's next record is taken.
    """

    def __init__(
        self,
        build: Callable[[], Any],
        topics: Sequence[str],
        places: Places,
        metrics: StreamMetrics,
        names: Names,
    ) -> None:
        self._client = Client(build, [names.topic(topic) for topic in topics], self)
        self._places = places
        self._metrics = metrics
        self._names = names
        self._commits = Commits(names)
        self.offsets = places.offsets
        self.next_of = places.next_of
        self.newest_ms = 0
        self._held_looked_at = 0.0

    @property
    def placed(self) -> bool:
        """Whether it stands in its group and all partitions that it was given are placed."""
        return self._places.assigned and not self._places.parked

    # ------------------------------------------------------------------ rebalance: notes only
    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:  # noqa: ARG002
        self._places.forget()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        homes = [self._names.home(tp) for tp in assigned]
        self._metrics.rebalances.inc()
        self._commits.forget()
        self._places.take(self._client.raw, homes)
        _log.info("partitions assigned", count=len(homes))

    # ------------------------------------------------------------------ reading
    async def poll(self, wait_s: float, *, ahead: bool = False) -> list[Record]:
        """Return up to 2,000 records, each partition's in order, none taken before.

        `ahead`: what was polled before is not settled yet. Else nothing is under way, and offsets
        that hold no record are passed.
        Raises KafkaUnavailable, and what the database raises where places are read.
        """
        raw = await self._client.opened()
        await self._places.settle(raw, ahead=ahead)
        if self._places.held and time.monotonic() > self._held_looked_at + _LOOK_S:
            await self._look_at_held(raw)
        records = self._fresh(await self._fetch(wait_s))
        # aiokafka has passed them: whatever failed from here on would lose them
        if records or ahead:
            return records
        if self._client.silent:
            await self._look()
        await pass_marks(raw, self._places, self._names)
        return records

    async def idle(self, wait_s: float) -> None:
        """Take nothing for a while and stay a member of the group."""
        raw = self._client.raw
        if raw is None:
            await asyncio.sleep(wait_s)
            return
        self._places.stop_all(raw)
        try:
            for tp in await self._fetch(wait_s):
                self.replace(self._names.home(tp))
        finally:
            self._places.let_run(raw)

    def pause_topic(self, topic: str) -> None:
        self._hold(self._places.held | {topic})

    def resume_topic(self, topic: str) -> None:
        self._hold(self._places.held - {topic})

    def _hold(self, held: set[str]) -> None:
        if held != self._places.held:
            self._places.held = held
            self._places.let_run(self._client.raw)

    def replace(self, home: Partition) -> None:
        """Forget where a partition stands: it is read from the database again."""
        self._places.replace(self._client.raw, home)

    def rewind(self, home: Partition) -> None:
        """Fetch again from the stored `next`."""
        self._places.rewind(self._client.raw, home)

    # ------------------------------------------------------------------ how far behind
    def lag(self) -> dict[Partition, int]:
        """Records not yet settled, per placed partition; by what Kafka last said of its end."""
        return self._places.lag(self._client.raw)

    def commit_best_effort(self) -> None:
        """Tell Kafka where we stand, beside the loop."""
        self._commits.tell(self._client.raw, self.next_of)

    async def end_offsets(self, topic: str) -> dict[Partition, int]:
        """Where each partition of the topic ends now, whoever owns it; beside `poll`, if need be.

        Raises KafkaUnavailable, also while the client is not connected.
        """
        raw = self._client.raw
        numbers = raw.partitions_for_topic(self._names.topic(topic)) if raw is not None else None
        if not numbers:
            raise KafkaUnavailable(f"the partitions of {topic} are not known yet")
        homes = [Partition(topic, number) for number in sorted(numbers)]
        return await edges(raw.end_offsets, homes, self._names)

    async def close(self) -> None:
        """Leave the group; within seconds, whatever the broker does."""
        await self._commits.finish()
        await self._client.close()

    # ------------------------------------------------------------------ inside
    async def _fetch(self, wait_s: float) -> Fetched:
        try:
            return await self._client.fetch(wait_s)
        except OffsetOutOfRangeError as error:
            self._places.note_gone(self._names.home(tp) for tp in error.args[0])
            return {}
        except KafkaUnavailable:
            for home in self.next_of:  # aiokafka may have lost what it drained before it failed
                self.rewind(home)
            raise

    def _fresh(self, fetched: Fetched) -> list[Record]:
        records: list[Record] = []
        make = tuple.__new__
        for tp, batch in fetched.items():
            topic, number = home = self._names.home(tp)
            first = self.next_of.get(home)
            if first is None:  # assigned inside getmany: not placed yet
                continue
            records += [
                make(Record, (topic, number, m.offset, m.key, m.value, m.headers, m.timestamp))
                for m in batch
                if m.offset >= first
            ]
        return records

    async def _look(self) -> None:
        running = [home for home in self.next_of if home.topic not in self._places.held]
        ends = await self._client.look([self._names.tp(home) for home in running])
        for tp, end in ends.items():
            self._places.note_end(self._names.home(tp), end)

    async def _look_at_held(self, raw: Any) -> None:
        """Nothing is fetched of them that would say how far they have grown."""
        self._held_looked_at = time.monotonic()
        held = [home for home in self.next_of if home.topic in self._places.held]
        for home, end in (await edges(raw.end_offsets, held, self._names)).items():
            self._places.note_end(home, end)
