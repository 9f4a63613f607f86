"""One AIOKafkaConsumer at a time, every wait bounded.

A client whose errors do not end (its coordination died), or that fetches nothing where there is
something (aiokafka issues 847, 1154), is replaced by a new one.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from shared.stream.kafka.guards import close_quietly, fetches_no_more, start_or_unavailable
from shared.stream.kafka.lenient import read_leniently
from shared.stream.kafka.reach import told
from shared.stream.kafka.shares import Shares, Taken
from shared.stream.records import KafkaUnavailable

_log = structlog.get_logger()
_START_S: Final = 5.0
_GRACE_S: Final = 1.0
_FAULTS: Final = 3
SILENT_S: Final = 30.0
_AGAIN_S: Final = 2.0

Fetched = Mapping[TopicPartition, Sequence[Any]]


class Client:
    """Starts late, so that a broker that is away is weather; tells its listener what it loses."""

    def __init__(
        self, build: Callable[[], Any], topics: Sequence[str], listener: ConsumerRebalanceListener
    ) -> None:
        self._build = build
        self._topics = topics
        self._listener = listener
        self._faults = 0
        self._heard_at = 0.0
        self._suspect = False
        self._shares = Shares()
        self.raw: Any = None

    async def opened(self) -> Any:
        """The client, started. Raises KafkaUnavailable where the broker does not answer."""
        if self.raw is not None and self._faults < _FAULTS and not fetches_no_more(self.raw):
            return self.raw
        if self.raw is not None:
            _log.warning("kafka client replaced", client="consumer")
            await self.close()
        client, self._shares = self._build(), Shares()
        await start_or_unavailable(client, what="consumer", within_s=_START_S)
        self._faults, self._heard_at, self._suspect = 0, time.monotonic(), False
        self.raw = client
        # after the start, which would wait for the group without a bound
        client.subscribe(self._topics, listener=self._listener)
        return client

    async def close(self) -> None:
        """Leave the group; within seconds, whatever the broker does."""
        client, self.raw = self.raw, None
        self._listener.on_partitions_revoked(())
        if client is not None:
            await close_quietly(client, what="consumer")

    async def fetch(self, wait_s: float) -> Fetched:
        """What came within `wait_s`. Raises KafkaUnavailable and OffsetOutOfRangeError."""
        fetched: Taken = {}
        try:
            # getmany has no bound of its own while the group rebalances
            async with asyncio.timeout(wait_s + _GRACE_S):
                await self._shares.take(self.raw, fetched, int(wait_s * 1000))
        except (NoOffsetForPartitionError, TimeoutError):
            return fetched
        except OffsetOutOfRangeError:
            raise
        except UnicodeDecodeError as error:
            read_leniently()
            self._faults = _FAULTS  # what this one holds half read is fetched by a new one
            raise KafkaUnavailable("fetch: a header's name is not UTF-8") from error
        except KafkaError as error:
            self._faults += 1
            raise KafkaUnavailable(f"fetch: {type(error).__name__}: {error}") from error
        self._faults = 0
        if fetched:
            self._heard_at, self._suspect = time.monotonic(), False
        return fetched

    @property
    def silent(self) -> bool:
        """Whether nothing came for so long that `look` is due."""
        return time.monotonic() - self._heard_at > SILENT_S

    async def look(self, running: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Ask where these end; found behind twice, the client is stuck and is replaced."""
        try:
            async with asyncio.timeout(_START_S):
                ends: Mapping[TopicPartition, int] = await self.raw.end_offsets(list(running))
                behind = [tp for tp in ends if await self.raw.position(tp) < ends[tp]]
        except (KafkaError, TimeoutError, OSError) as error:
            raise KafkaUnavailable(told("ends", error, self.raw._client)) from error  # noqa: SLF001
        if behind and self._suspect:
            _log.error("kafka client stuck", partitions=len(behind))
            self._faults = _FAULTS
        self._suspect = bool(behind)
        self._heard_at = time.monotonic() - (SILENT_S - _AGAIN_S if behind else 0.0)
        return ends
