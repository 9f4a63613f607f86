"""What travels through the loop."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from shared.security import PLAINTEXT, Security

Headers = tuple[tuple[str, bytes | None], ...]  # Kafka has headers without a content


@dataclass(frozen=True, slots=True)
class Broker:
    """Which Kafka: where, the prefix of topic names, the id of its log.

    `embedded` is the mock of the default: small logs that evict silently, quick waits. A consumer
    that is silent for `session_s` loses its partitions to others.
    """

    bootstrap: str
    log: str
    prefix: str = ""
    embedded: bool = False
    session_s: float = 10.0
    security: Security = PLAINTEXT


class Partition(NamedTuple):
    """One partition of one topic."""

    topic: str
    number: int


class Record(NamedTuple):
    """One record as Kafka gave it. `timestamp_ms` is the broker's time in our topics."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int

    @property
    def home(self) -> Partition:
        return Partition(self.topic, self.partition)


class Decoded(NamedTuple):
    """A record and what its decoder made of it."""

    record: Record
    value: Any


class Outgoing(NamedTuple):
    """A record to be produced; `topic` without the deployment's prefix.

    Its key says which partition, unless one is named.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None


class KafkaUnavailable(Exception):
    """Kafka did not acknowledge in time. What was sent may still be written: ids decide."""


class TooLargeForKafka(KafkaUnavailable):
    """A record that Kafka takes at no time: a fault of who made it, and not weather."""
