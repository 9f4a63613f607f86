"""Whether what was acknowledged is kept: the records of the topic, by its offsets."""

from typing import Final

from confluent_kafka import Consumer, TopicPartition

from shared.events import PARTITIONS, Topic
from shared.stream import Broker

_PATIENCE_S: Final = 10.0


class Kept:
    """The topic of answers, and how many of them were held against it."""

    def __init__(self, broker: Broker) -> None:
        self._topic = f"{broker.prefix}{Topic.SURVEY_RESPONSES}"
        self._reach = {"bootstrap.servers": broker.bootstrap, "group.id": "kept"}
        self._acknowledged = self._found = 0

    def records(self) -> int:
        """All records so far."""
        consumer = Consumer(self._reach)
        try:
            places = (TopicPartition(self._topic, number) for number in range(PARTITIONS))
            ends = (consumer.get_watermark_offsets(place, _PATIENCE_S) for place in places)
            return sum(last for _, last in ends)
        finally:
            consumer.close()

    def check(self, name: str, acknowledged: int, before: int) -> None:
        """At least so many records came since `before`. Raises SystemExit where some are missing.

        More may have come: of requests that were open when the load ended.
        """
        found = self.records() - before
        if found < acknowledged:
            raise SystemExit(f"{name}: {acknowledged} were acknowledged, {found} are records")
        self._acknowledged += acknowledged
        self._found += found

    def text(self) -> str:
        return f"{self._acknowledged:,} answers were acknowledged, {self._found:,} are records"
