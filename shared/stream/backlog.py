"""How far behind a consumer is: how many records wait, and since when the oldest does, at most."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from shared.stream.metrics import StreamMetrics
from shared.stream.records import Partition, Record


class Backlog:
    """Since when something may wait in each partition, in seconds of Unix time.

    A record that was fetched says when Kafka took it. What was not fetched came after the last
    record that was settled, and after the last look that found nothing waiting.
    """

    def __init__(self, metrics: StreamMetrics, topics: Collection[str]) -> None:
        self._metrics = metrics
        self._topics = topics
        self._since: dict[Partition, float] = {}
        self._unknown = True

    def taken(self, records: Sequence[Record]) -> None:
        """These were fetched: the first of each partition is its oldest."""
        if self._unknown:
            firsts = {record[:2]: record for record in reversed(records)}
            self.settled([first for first in firsts.values() if first.home not in self._since])

    def settled(self, lasts: Iterable[Record]) -> None:
        """All up to these is done: what follows is no older."""
        self._since |= {last.home: last.timestamp_ms / 1000 for last in lasts}

    def show(self, lag: Mapping[Partition, int], now: float | None) -> None:
        """Show it by topic; `now` is None while nobody can say that nothing waits.

        Of a partition that holds records of which none was fetched here, no age is known.
        """
        for home in self._since.keys() - lag.keys():  # another's by now
            del self._since[home]
        if now is not None:
            self._since |= {home: now for home, records in lag.items() if not records}
        self._unknown = not self._since.keys() >= lag.keys()
        waiting = dict.fromkeys(self._topics, 0)
        oldest: dict[str, float] = {}
        for home, records in lag.items():
            waiting[home.topic] = waiting.get(home.topic, 0) + records
            if home in self._since:
                since = self._since[home]
                oldest[home.topic] = min(since, oldest.get(home.topic, since))
        for topic, records in waiting.items():
            self._metrics.lag.labels(topic).set(records)
        self._metrics.lag_age.show(oldest)
