"""Every series of alerts, each with a sentence."""

from shared.metrics import Counter, Gauge, Histogram, PoolMetrics, Registry
from shared.stream.metrics import ProducerMetrics, StreamMetrics

REGISTRY = Registry()
DATABASE = PoolMetrics(REGISTRY)
STREAM = StreamMetrics(REGISTRY)
PRODUCER = ProducerMetrics(REGISTRY)

ANSWERS = Counter(
    "earshot_alerts_answers", "Answers counted as evidence, by metric.", ["metric"],
    registry=REGISTRY,
)  # fmt: skip
REPEATS = Counter(
    "earshot_alerts_repeats",
    "Records that changed no evidence: repeats, and amendments of judged answers.",
    registry=REGISTRY,
)
LATE = Counter(
    "earshot_alerts_late_answers",
    "Answers of a minute judged already, counted in the oldest open one.",
    registry=REGISTRY,
)
TOO_LATE = Counter(
    "earshot_alerts_too_late_answers",
    "Answers over 30 days behind what was judged: scored, but no evidence.",
    registry=REGISTRY,
)
ELECTED = Gauge(
    "earshot_alerts_judge_elected",
    "1 in the process that judges. The sum over replicas is 1; 0 for a minute: nobody judges.",
    registry=REGISTRY,
)
OUTDATED = Gauge(
    "earshot_alerts_judge_outdated",
    "1 in a process that stands down: a newer version has judged, and it would lose what that one"
    " keeps.",
    registry=REGISTRY,
)
JUDGED = Counter(
    "earshot_alerts_judgements", "Minutes that had answers and were judged.", registry=REGISTRY
)
JUDGED_TO = Gauge(
    "earshot_alerts_judged_to_timestamp_seconds",
    "Event time up to which answers were judged, the open minute included; shown by the process"
    " that judges. It stands still where nobody answers.",
    registry=REGISTRY,
)
TURN_SECONDS = Histogram(
    "earshot_alerts_judge_turn_seconds",
    "Duration of a turn of the judge; below 5 is normal.",
    registry=REGISTRY,
)
STREAMS = Gauge("earshot_alerts_streams", "Streams that are watched.", registry=REGISTRY)
FULL_DIMENSIONS = Gauge(
    "earshot_alerts_full_dimensions",
    "Dimensions with 10,000 values; further ones are watched together as other. 0 is normal.",
    registry=REGISTRY,
)
OPEN = Gauge(
    "earshot_alerts_open",
    "Alerts that are not over, by metric, survey, severity and state: open (nobody has looked yet)"
    " or acknowledged. Shown by the process that judges.",
    ["metric", "survey", "severity", "state"],
    registry=REGISTRY,
)
WAITING = Gauge(
    "earshot_alerts_waiting_streams",
    "Streams that crossed and wait for room: a minute opens at most ten alerts of a line.",
    registry=REGISTRY,
)
LOOKS_DUE = Gauge(
    "earshot_alerts_looks_due",
    "Open alerts that grew and wait to be explained afresh.",
    registry=REGISTRY,
)
RAISED = Counter(
    "earshot_alerts_raised",
    "Alerts raised, by severity and whether historic (found long after they began, as in what is"
    " imported).",
    ["severity", "historic"],
    registry=REGISTRY,
)
ENDED = Counter(
    "earshot_alerts_ended", "Alerts ended by evidence, by state.", ["state"], registry=REGISTRY
)
PUBLISHED = Counter(
    "earshot_alerts_published", "Records written to detractor-alerts.", registry=REGISTRY
)
DELIVERIES = Counter(
    "earshot_alerts_deliveries",
    "Tries to tell a destination, by outcome: sent, pending (tried again later) or dead (given up:"
    " `GET /v1/destinations` says why).",
    ["destination", "outcome"],
    registry=REGISTRY,
)
DELIVERY_SECONDS = Histogram(
    "earshot_alerts_delivery_seconds",
    "Duration of one try to tell a destination, whatever came of it.",
    ["destination"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25),
    registry=REGISTRY,
)
DISABLED = Gauge(
    "earshot_alerts_destination_disabled",
    "1 for a destination that said it is gone: nothing is sent until it is enabled again.",
    ["destination"],
    registry=REGISTRY,
)
DEAD_LETTERS = Gauge(
    "earshot_alerts_dead_letters",
    "Messages for a destination that were given up, until somebody retries or drops them.",
    ["destination"],
    registry=REGISTRY,
)
MAINTENANCE = Counter(
    "earshot_alerts_maintenance_answers",
    "Answers of a maintenance window: scored, but no evidence.",
    registry=REGISTRY,
)
DELETED = Counter(
    "earshot_alerts_deleted_rows",
    "Rows deleted because their time was over, by table.",
    ["table"],
    registry=REGISTRY,
)
PROMISED = Gauge(
    "earshot_alerts_promised_false_alarms_per_week",
    "False alarms a week that are promised at most, over all streams together: what the programme's"
    " false_alarms_per_week says.",
    registry=REGISTRY,
)
AUDITED = Gauge(
    "earshot_alerts_audited_alarms_per_week",
    "Alarms a week that the last four weeks give by the present settings; kind: all (real rises"
    " too) or false; bound: estimate, or low and high of the 95 % interval.",
    ["kind", "bound"],
    registry=REGISTRY,
)
AUDITED_LINE = Gauge(
    "earshot_alerts_audited_line_alarms_per_week",
    "The same of one metric and survey, against its part of the promise.",
    ["metric", "survey", "kind", "bound"],
    registry=REGISTRY,
)
AUDITED_AT = Gauge(
    "earshot_alerts_audited_timestamp_seconds",
    "When the newest audit of the promise was made; 0: none yet. One a night is normal.",
    registry=REGISTRY,
)
