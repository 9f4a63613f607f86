"""Every series of this service, each with a sentence."""

from shared.metrics import Counter, Gauge, Histogram, PoolMetrics, Registry
from shared.stream.metrics import ProducerMetrics, StreamMetrics

REGISTRY = Registry()
DATABASE = PoolMetrics(REGISTRY)
STREAM = StreamMetrics(REGISTRY)
PRODUCER = ProducerMetrics(REGISTRY)

DECISIONS = Counter(
    "earshot_trigger_decisions",
    "Decisions on events, by trigger, decision (invited, scheduled or suppressed) and reason; what"
    " kept a customer from being asked is decision=suppressed by reason. rule-error is a fault of"
    " the programme: `GET /v1/decisions?reason=rule-error` shows the events.",
    ["trigger", "decision", "reason"],
    registry=REGISTRY,
)
DUPLICATES = Counter(
    "earshot_trigger_duplicate_events",
    "Events that had come before, by (source, id), and changed nothing. Many: an emitter repeats"
    " itself, or gives the same id to different events.",
    registry=REGISTRY,
)
FOREIGN = Counter(
    "earshot_trigger_foreign_events",
    "Events whose type is neither transaction.* nor support_call.*, passed over.",
    registry=REGISTRY,
)
CONTACT_LIKE_IDS = Counter(
    "earshot_trigger_contact_like_customer_ids",
    "Events whose customer id looks like an e-mail address or a phone number: tell the emitter to"
    " send an id of its own, for ids stand in logs and replies.",
    registry=REGISTRY,
)
UNKNOWN_OPTOUTS = Counter(
    "earshot_trigger_unknown_optouts",
    "Opt-outs that name an invitation that is not known here.",
    registry=REGISTRY,
)
SENDS = Counter(
    "earshot_trigger_sends",
    "Tries to send an invitation, by channel and outcome: sent, later (the channel fails for now,"
    " and is tried again), failed (this customer cannot be reached so) or doubt (it may have gone"
    " out, and is not sent again). Mostly later: the channel is away, /readyz says why.",
    ["channel", "outcome"],
    registry=REGISTRY,
)
SEND_SECONDS = Histogram(
    "earshot_trigger_send_seconds",
    "Duration of one try to send.",
    ["channel"],
    registry=REGISTRY,
)
DISPATCH_SECONDS = Histogram(
    "earshot_trigger_dispatch_seconds",
    "From when an invitation was due to when it was sent, of those that were. Below 5 is normal.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 600),
    registry=REGISTRY,
)
ENDED = Counter(
    "earshot_trigger_invitations_ended",
    "Invitations that reached a state in which they stay, by state: sent, undeliverable, cancelled,"
    " expired, unknown (it may have gone out).",
    ["status"],
    registry=REGISTRY,
)
IN_FLIGHT = Gauge(
    "earshot_trigger_sends_in_flight", "Sends under way in this process.", registry=REGISTRY
)
PUBLISHED = Counter(
    "earshot_trigger_invitations_published",
    "States of invitations published to survey-invitations.",
    registry=REGISTRY,
)
SCHEDULE_BEHIND = Gauge(
    "earshot_trigger_schedule_behind_seconds",
    "How far the schedule of a relational survey is behind the clock. Below 60 is normal.",
    ["survey"],
    registry=REGISTRY,
)
DELETED = Counter(
    "earshot_trigger_deleted_rows",
    "Rows deleted because their time was over, by table.",
    ["table"],
    registry=REGISTRY,
)
DUE_BEHIND = Gauge(
    "earshot_trigger_due_behind_seconds",
    "For how long the oldest question that is due has waited to be decided. Below 5 is normal.",
    registry=REGISTRY,
)
DUE_PUT_OFF = Counter(
    "earshot_trigger_due_put_off",
    "Events that waited, could not be decided for a fault of ours, and wait an hour more.",
    registry=REGISTRY,
)
SCHEDULE_SKIPPED = Counter(
    "earshot_trigger_schedule_skipped",
    "Customers whom a relational survey left out this time: a fault of ours kept them undecided.",
    ["survey"],
    registry=REGISTRY,
)
REMINDERS_PUT_OFF = Counter(
    "earshot_trigger_reminders_put_off",
    "Reminders that could not be decided for a fault of ours: an hour more, or none if it is over.",
    registry=REGISTRY,
)
REMINDERS_HELD = Gauge(
    "earshot_trigger_reminders_held_seconds",
    "For how long it has not been known whether all answers are heard: no reminder goes meanwhile.",
    registry=REGISTRY,
)
WORKER_FAILURES = Counter(
    "earshot_trigger_worker_failures",
    "Rounds of a worker that failed and are tried again, by verdict: weather or slow (database or"
    " Kafka), data or bug (a fault of ours; the log has it).",
    ["worker", "verdict"],
    registry=REGISTRY,
)
