"""Offsets told to Kafka: for lag dashboards, KEDA and `Room`; nothing is ever read from them."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from shared.failpoints import Point, hit
from shared.stream.kafka.names import Names
from shared.stream.records import Partition

_log = structlog.get_logger()
_COMMIT_S: Final = 1.0


class Commits:
    """Commits beside the loop, one at a time, and only what changed."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._task: asyncio.Task[None] | None = None
        self._told: dict[TopicPartition, int] = {}

    def forget(self) -> None:
        self._told = {}

    def tell(self, client: Any, next_of: Mapping[Partition, int]) -> None:
        """Start a commit, unless one is under way or there is nothing new."""
        stands = {self._names.tp(home): offset for home, offset in next_of.items()}
        busy = self._task is not None and not self._task.done()
        if client is not None and stands and not busy and stands != self._told:
            self._task = asyncio.create_task(self._commit(client, stands))

    async def finish(self) -> None:
        """Wait for the commit under way; it is bounded."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _commit(self, client: Any, stands: dict[TopicPartition, int]) -> None:
        try:
            async with asyncio.timeout(_COMMIT_S):
                await client.commit(stands)
        except (KafkaError, IllegalStateError, TimeoutError, OSError) as error:
            _log.info("commit to kafka skipped", error=type(error).__name__)
        else:
            self._told = stands
            hit(Point.KAFKA_COMMITTED)
