"""Every series of ingest, each with a sentence."""

from shared.metrics import Counter, Registry
from shared.stream.metrics import ProducerMetrics

REGISTRY = Registry()
PRODUCER = ProducerMetrics(REGISTRY)

ANSWERS = Counter(
    "earshot_ingest_answers",
    "Answers that every in-sync replica has, by metric and by whether they were invited.",
    ["metric", "invited"],
    registry=REGISTRY,
)
REFUSED = Counter(
    "earshot_ingest_refused",
    "Answers and events refused, by HTTP status: 503 means that Kafka did not acknowledge them, and"
    " whoever sent them is asked to send them again; any other: it cannot be taken.",
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
    "Opt-outs, by whether trigger acknowledged them (recorded) or was away (queued: it hears of"
    " them from Kafka; until then it may still ask).",
    ["outcome"],
    registry=REGISTRY,
)
