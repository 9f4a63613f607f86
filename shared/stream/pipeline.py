"""The parts of a consumer: where records come from, what is done with them, how it fares."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.stream.metrics import StreamMetrics
from shared.stream.offsets import Offsets
from shared.stream.records import Decoded, Outgoing, Partition, Record
from shared.traces import UNTRACED, Traces

Decode = Callable[[Record], Any]
Handle = Callable[[Sequence[Decoded], AsyncConnection], Awaitable[None]]


class Source(Protocol):
    """What the loop needs of Kafka; `shared.stream.kafka.KafkaSource` is the real one.

    `next_of` has the stored `next` of every partition that is placed; `newest_ms` is the create
    time of the newest settled record, 0 before the first. `ahead` says that what was polled before
    is not settled yet: then no place may be moved on.
    """

    offsets: Offsets
    next_of: dict[Partition, int]
    newest_ms: int

    @property
    def placed(self) -> bool: ...

    async def poll(self, wait_s: float, *, ahead: bool = False) -> list[Record]: ...
    async def idle(self, wait_s: float) -> None: ...
    def commit_best_effort(self) -> None: ...
    def lag(self) -> dict[Partition, int]: ...
    def pause_topic(self, topic: str) -> None: ...
    def resume_topic(self, topic: str) -> None: ...
    def replace(self, home: Partition) -> None: ...
    def rewind(self, home: Partition) -> None: ...


class Producer(Protocol):
    """All acknowledged by every in-sync replica, or KafkaUnavailable within a bound."""

    async def send(self, records: Sequence[Outgoing]) -> None: ...


def _nothing() -> None:
    return


@dataclass(frozen=True)
class Pipeline:
    """What one service does with its topics.

    `decode` maps a topic to its decoder, which raises Refused. `handle` works on a whole batch in
    the transaction that it is given, and neither commits nor catches. `after_commit` must not wait.
    """

    service: str
    engine: AsyncEngine
    decode: Mapping[str, Decode]
    handle: Handle
    producer: Producer
    metrics: StreamMetrics
    after_commit: Callable[[], None] = _nothing
    traces: Traces = UNTRACED


class Health:
    """What `/healthz` and `/readyz` ask of a running loop."""

    def __init__(self) -> None:
        self.turned_at = time.monotonic()
        self.weather: str | None = None  # set until the consumer stands in its group
        self.paused: set[str] = set()

    def stuck(self, after_s: float = 60.0) -> bool:
        """Whether the loop has not turned for so long that only a restart helps."""
        return time.monotonic() - self.turned_at > after_s

    def fault(self) -> str | None:
        """Why the consumer is not ready, or None."""
        if self.weather is not None:
            return self.weather
        if self.paused:
            return f"paused, mostly poison: {', '.join(sorted(self.paused))}"
        return None


Worker = Callable[[asyncio.Event], Awaitable[None]]
Check = Callable[[], Awaitable[str | None]]
