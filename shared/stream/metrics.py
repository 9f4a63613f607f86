"""What every consumer shows; one instance per service, on that service's registry."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class StreamMetrics:
    """The consumer series of one service."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.records = Counter(
            "earshot_consumer_records",
            "Records settled, by topic and outcome: ok, dead-letter or fenced.",
            ["topic", "outcome"],
            registry=registry,
        )
        self.batch_seconds = Histogram(
            "earshot_consumer_batch_seconds",
            "Time to settle one poll: its transaction, what it sends, and the commit.",
            registry=registry,
        )
        self.retries = Counter(
            "earshot_consumer_retries",
            "Batches aborted by weather (database or Kafka away) and tried again.",
            registry=registry,
        )
        self.fenced = Counter(
            "earshot_consumer_fenced_partitions",
            "Partitions left out of a batch because another owner had moved them.",
            registry=registry,
        )
        self.rebalances = Counter(
            "earshot_consumer_rebalances", "Assignments received.", registry=registry
        )
        self.gaps = Counter(
            "earshot_consumer_gap_records",
            "Offsets skipped because the broker no longer had them. Each is a record lost.",
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
            "Records not yet settled, over this process's partitions of the topic.",
            ["topic"],
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
            "Wall clock of the last committed batch.",
            registry=registry,
        )
