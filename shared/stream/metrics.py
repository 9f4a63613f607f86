"""What every consumer and every producer shows; one each a service, on that service's registry."""

import time
from collections import Counter as Numbers
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from prometheus_client import CollectorRegistry

from shared.metrics import Ages, Counter, Gauge, Histogram
from shared.stream.records import Outgoing


class StreamMetrics:
    """The consumer series of one service."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.records = Counter(
            "earshot_consumer_records",
            "Records settled, by topic and outcome: ok, dead-letter (`python -m services"
            " deadletters` lists them) or fenced (left to the partition's new owner).",
            ["topic", "outcome"],
            registry=registry,
        )
        self.record_age = Histogram(
            "earshot_consumer_record_age_seconds",
            "From Kafka's receipt of a record to the commit that settles it, by topic. Below 2 is"
            " normal; after an outage or a replay it is as long as that.",
            ["topic"],
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200),
            registry=registry,
        )
        self.batch_seconds = Histogram(
            "earshot_consumer_batch_seconds",
            "Time to settle one poll, also where that failed: its transaction, what it sends, and"
            " the commit.",
            registry=registry,
        )
        self.retries = Counter(
            "earshot_consumer_retries",
            "Batches aborted by weather (database or Kafka away) and tried again.",
            registry=registry,
        )
        self.fenced = Counter(
            "earshot_consumer_fenced_partitions",
            "Partitions left out of a batch because another owner had moved them. A few at a"
            " rebalance are normal; ever more: two consumers take turns at the same partitions.",
            registry=registry,
        )
        self.rebalances = Counter(
            "earshot_consumer_rebalances",
            "Assignments received. Each start and stop of a replica is one; more than that, and"
            " replicas lose their place in the group because they are slow or cut off.",
            registry=registry,
        )
        self.gaps = Counter(
            "earshot_consumer_gap_records",
            "Offsets skipped because the broker no longer had them. Each is a record lost: 0 is"
            " normal.",
            ["topic"],
            registry=registry,
        )
        self.rewinds = Counter(
            "earshot_consumer_rewound_partitions",
            "Partitions read from their beginning, for their topic was made anew or cut short. "
            "What they held unread is lost.",
            ["topic"],
            registry=registry,
        )
        self.lag = Gauge(
            "earshot_consumer_lag_records",
            "Records not yet settled, over this process's partitions of the topic. Below a second's"
            " worth is normal. While earshot_consumer_reading is 0 it is what was known last.",
            ["topic"],
            registry=registry,
        )
        self.lag_age = Ages(
            "earshot_consumer_lag_seconds",
            "How old the oldest unsettled record of this process's partitions of the topic is at"
            " most. Below 1 where nothing waits; it grows by itself while nothing is settled, and"
            " while nobody can say whether something waits.",
            "topic",
            registry,
        )
        self.reading = Gauge(
            "earshot_consumer_reading",
            "1 while it stands in its group and neither database nor Kafka keeps it from settling;"
            " 0 for more than a minute: /readyz says why.",
            registry=registry,
        )
        self.paused = Gauge(
            "earshot_consumer_topic_paused",
            "1 while a topic is paused because most of its records are poison.",
            ["topic"],
            registry=registry,
        )
        self.last_progress = Gauge(
            "earshot_consumer_last_progress_timestamp_seconds",
            "Wall clock of the last committed batch; 0: none since the start. Old is normal where"
            " earshot_consumer_lag_records is 0.",
            registry=registry,
        )


class ProducerMetrics:
    """The series of what one service writes to Kafka."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.records = Counter(
            "earshot_producer_records",
            "Records sent, by topic and outcome: acknowledged by every in-sync replica, or failed"
            " (not in time, or the producer was not connected; whoever sent them tries again).",
            ["topic", "outcome"],
            registry=registry,
        )
        self.seconds = Histogram(
            "earshot_producer_send_seconds",
            "From a batch's sending to Kafka's acknowledgement of all of it, or its failure.",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=registry,
        )
        self.in_flight = Gauge(
            "earshot_producer_in_flight_records",
            "Records sent and not yet acknowledged. More than a second's worth: Kafka is slow.",
            registry=registry,
        )
        self.connected = Gauge(
            "earshot_producer_connected",
            "1 while the producer is connected; else it tries again twice a second.",
            registry=registry,
        )

    @contextmanager
    def sending(self, records: Sequence[Outgoing]) -> Iterator[None]:
        """Count what is sent meanwhile, and how that ends."""
        began, outcome = time.perf_counter(), "failed"
        self.in_flight.inc(len(records))
        try:
            yield
            outcome = "acknowledged"
        finally:
            self.in_flight.dec(len(records))
            self.seconds.observe(time.perf_counter() - began)
            for topic, number in Numbers(record.topic for record in records).items():
                self.records.labels(topic, outcome).inc(number)
