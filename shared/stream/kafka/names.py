"""A deployment's prefix on topic names: ours are without it, Kafka's with it."""

from aiokafka import TopicPartition

from shared.stream.records import Partition


class Names:
    """Translates partitions; each is translated once."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._homes: dict[TopicPartition, Partition] = {}
        self._tps: dict[Partition, TopicPartition] = {}

    def topic(self, topic: str) -> str:
        return f"{self._prefix}{topic}"

    def home(self, tp: TopicPartition) -> Partition:
        found = self._homes.get(tp)
        if found is None:
            found = Partition(tp.topic.removeprefix(self._prefix), tp.partition)
            self._homes[tp] = found
        return found

    def tp(self, home: Partition) -> TopicPartition:
        found = self._tps.get(home)
        if found is None:
            found = self._tps[home] = TopicPartition(self.topic(home.topic), home.number)
        return found
