"""Open a service's consumer."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.stream.kafka.consumer import KafkaSource
from shared.stream.kafka.names import Names
from shared.stream.kafka.places import Places
from shared.stream.kafka.reach import reach
from shared.stream.kafka.topics import need_topics
from shared.stream.metrics import StreamMetrics
from shared.stream.offsets import Offsets
from shared.stream.records import Broker

_FOLLOWERS_S: Final = 0.1
_EMBEDDED_SESSION_S: Final = 3.0
_HEARTBEATS: Final = 6  # so many in a session


class _OnMock(AIOKafkaConsumer):  # type: ignore[misc]
    """As the group's leader it lets the followers sync first.

    The mock refuses a follower that syncs after its leader, and so for ever: each refusal makes it
    join again. A real broker does not mind.
    """

    async def start(self) -> None:
        await super().start()
        assign = self._coordinator._perform_assignment  # noqa: SLF001 - there is no public way

        async def later(response: Any) -> Any:
            if len(response.members) > 1:
                await asyncio.sleep(_FOLLOWERS_S)
            return await assign(response)

        self._coordinator._perform_assignment = later  # noqa: SLF001


@asynccontextmanager
async def open_source(
    broker: Broker,
    topics: Sequence[str],
    engine: AsyncEngine,
    metrics: StreamMetrics,
    *,
    group: str,
) -> AsyncIterator[KafkaSource]:
    """Yield a source whose offsets live in the engine's schema.

    It joins the group at its first polls: a broker that is away is weather, from the start.
    """
    session_s = _EMBEDDED_SESSION_S if broker.embedded else broker.session_s
    names = Names(broker.prefix)
    wanted = [names.topic(topic) for topic in topics]

    class Patient(AIOKafkaConsumer):  # type: ignore[misc]
        """Does not start before its topics are there: the mock makes them when asked for."""

        async def start(self) -> None:
            await super().start()
            await need_topics(self._client, wanted)

    def build() -> AIOKafkaConsumer:
        kind = _OnMock if broker.embedded else Patient
        return kind(
            **reach(broker.bootstrap, broker.security),
            group_id=f"{broker.prefix}{group}",
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            fetch_max_wait_ms=20 if broker.embedded else 100,
            session_timeout_ms=int(session_s * 1000),
            heartbeat_interval_ms=int(min(3.0, session_s / _HEARTBEATS) * 1000),
            max_poll_interval_ms=300_000,
            max_partition_fetch_bytes=4 * 1024 * 1024,
        )

    places = Places(Offsets(engine, group=group, log=broker.log), metrics, names)
    source = KafkaSource(build, topics, places, metrics, names)
    try:
        yield source
    finally:
        await source.close()
