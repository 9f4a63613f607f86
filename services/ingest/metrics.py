"""Every series of ingest, each with a sentence."""

from prometheus_client import CollectorRegistry, Counter, Histogram

REGISTRY = CollectorRegistry()  # one per service: one process runs all four

ANSWERS = Counter(
    "earshot_ingest_answers",
    "Answers that every in-sync replica has, by metric and by whether they were invited.",
    ["metric", "invited"],
    registry=REGISTRY,
)
REFUSED = Counter(
    "earshot_ingest_refused",
    "Answers and events refused, by HTTP status.",
    ["status"],
    registry=REGISTRY,
)
EVENTS = Counter(
    "earshot_ingest_events",
    "Events that every in-sync replica has, by topic.",
    ["topic"],
    registry=REGISTRY,
)
OPTOUTS = Counter(
    "earshot_ingest_optouts",
    "Opt-outs, by whether trigger acknowledged them (recorded) or was away (queued).",
    ["outcome"],
    registry=REGISTRY,
)
ACKNOWLEDGED = Histogram(
    "earshot_ingest_acknowledged_seconds",
    "From the receipt of an answer to Kafka's acknowledgement.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 25),
    registry=REGISTRY,
)
