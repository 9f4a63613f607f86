"""Every series of scoring, each with a sentence."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shared.stream.metrics import StreamMetrics

REGISTRY = CollectorRegistry()  # one per service: one process runs all four
STREAM = StreamMetrics(REGISTRY)

ANSWERS = Counter(
    "earshot_scoring_answers",
    "Answers counted or amended, by metric and class.",
    ["metric", "class"],
    registry=REGISTRY,
)
REPEATS = Counter(
    "earshot_scoring_repeats",
    "Records that changed nothing: repeats, and truths older than the one known.",
    registry=REGISTRY,
)
STALENESS = Histogram(
    "earshot_scoring_staleness_seconds",
    "From the receipt of an answer to the score that includes it; the oldest of each batch.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600),
    registry=REGISTRY,
)
TURNED_AWAY = Counter(
    "earshot_scoring_values_as_other",
    "Times that a value beyond a dimension's 10,000 was counted as other.",
    ["dimension"],
    registry=REGISTRY,
)
RECOUNTS = Counter(
    "earshot_scoring_recounts",
    "Times that the running counts were made anew because dimensions or pairs had changed.",
    registry=REGISTRY,
)
READERS = Gauge("earshot_scoring_stream_readers", "Open GET /v1/stream.", registry=REGISTRY)
