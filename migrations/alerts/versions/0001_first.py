"""Evidence, the fleet that is judged by it, alerts, and what is told of them."""

from alembic import op

from shared.stream.offsets import create_table

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Ids are unique in plain tables; what grows is deleted in batches (architecture, rule 12).
_TABLES = (
    # Each answer's one piece of evidence: its first version, moved while its minute is open.
    """
    CREATE TABLE counted (
        id text PRIMARY KEY,
        version text COLLATE "C" NOT NULL,
        metric text NOT NULL,
        survey text NOT NULL,
        leaf text NOT NULL,
        cluster text NOT NULL,
        minute integer NOT NULL,
        detractor boolean NOT NULL,
        counted_at timestamptz NOT NULL DEFAULT now()
    ) WITH (fillfactor = 90)
    """,
    "CREATE INDEX counted_by_age ON counted USING brin (counted_at)",
    """
    CREATE TABLE ticks (
        minute integer NOT NULL,
        metric text NOT NULL,
        survey text NOT NULL,
        leaf text NOT NULL,
        cluster text NOT NULL,
        answers integer NOT NULL,
        detractors integer NOT NULL
    ) WITH (fillfactor = 80)
    """,
    # a leaf may be longer than an index entry
    "CREATE UNIQUE INDEX ticks_key ON ticks (metric, survey, minute, md5(leaf), md5(cluster))",
    # What detractors said, for the reasons and comments of an alert.
    """
    CREATE TABLE remarks (
        id text PRIMARY KEY,
        minute integer NOT NULL,
        metric text NOT NULL,
        survey text NOT NULL,
        leaf jsonb NOT NULL,
        reasons jsonb NOT NULL,
        comment text
    )
    """,
    "CREATE INDEX remarks_by_time ON remarks (metric, survey, minute)",
    """
    CREATE TABLE heard (
        log text NOT NULL,
        partition integer NOT NULL,
        metric text NOT NULL,
        survey text NOT NULL,
        lately timestamptz NOT NULL,
        newest timestamptz NOT NULL,
        PRIMARY KEY (log, partition, metric, survey)
    ) WITH (fillfactor = 50)
    """,
    # Minutes up to closed_to take no more evidence; those up to judged_to are in the fleet.
    """
    CREATE TABLE lines (
        metric text NOT NULL,
        survey text NOT NULL,
        closed_to integer NOT NULL DEFAULT 0,
        judged_to integer NOT NULL DEFAULT 0,
        columns text[] NOT NULL DEFAULT '{}',
        detector jsonb,
        PRIMARY KEY (metric, survey)
    ) WITH (fillfactor = 50)
    """,
    """
    CREATE TABLE judged (
        "only" boolean PRIMARY KEY DEFAULT true CHECK ("only"),
        at timestamptz
    ) WITH (fillfactor = 50)
    """,
    "INSERT INTO judged DEFAULT VALUES",
    """
    CREATE TABLE streams (
        metric text NOT NULL,
        survey text NOT NULL,
        number integer NOT NULL,
        segment text NOT NULL,
        level smallint NOT NULL,
        parent integer NOT NULL,
        state bytea NOT NULL,
        PRIMARY KEY (metric, survey, number)
    ) WITH (fillfactor = 70)
    """,
    """
    CREATE TABLE alerts (
        id text PRIMARY KEY,
        state text NOT NULL CHECK (state IN ('open', 'acknowledged', 'resolved', 'accepted')),
        metric text NOT NULL,
        survey text NOT NULL,
        opened_at timestamptz NOT NULL,
        revision integer NOT NULL,
        body jsonb NOT NULL,
        holds integer[] NOT NULL,
        pending integer[] NOT NULL,
        opened_in integer NOT NULL,
        told_n integer NOT NULL,
        raised_as text NOT NULL,
        settled boolean NOT NULL
    )
    """,
    "CREATE INDEX alerts_by_time ON alerts (opened_at, id)",
    "CREATE INDEX alerts_unsettled ON alerts (id) WHERE NOT settled",
    # Every change of every alert as it was told: the audit trail, and what is to be published.
    """
    CREATE TABLE changes (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        alert_id text NOT NULL,
        revision integer NOT NULL,
        change text NOT NULL,
        at timestamptz NOT NULL,
        record text NOT NULL,
        published boolean NOT NULL DEFAULT false,
        UNIQUE (alert_id, revision)
    )
    """,
    "CREATE INDEX changes_unpublished ON changes (seq) WHERE NOT published",
    """
    CREATE TABLE deliveries (
        destination text NOT NULL,
        key text NOT NULL,
        alert_id text NOT NULL,
        revision integer NOT NULL,
        state text NOT NULL CHECK (state IN ('pending', 'sent', 'dead')),
        next_at timestamptz NOT NULL,
        since timestamptz NOT NULL,
        attempts integer NOT NULL DEFAULT 0,
        detail text,
        PRIMARY KEY (destination, key)
    ) WITH (fillfactor = 70)
    """,
    "CREATE INDEX deliveries_due ON deliveries (destination, next_at) WHERE state = 'pending'",
    "CREATE INDEX deliveries_by_age ON deliveries USING brin (since)",
)


def upgrade() -> None:
    create_table(op)
    for statement in _TABLES:
        op.execute(statement)
