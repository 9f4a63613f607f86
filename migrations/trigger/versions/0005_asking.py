"""What waits, cancels, limits, answers, repeats and reminds; and what decisions knew."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
older_replicas = (
    "read and write the column as before: its values and its type stay, its order does not"
)

# What is compared with a column of another collation must have the same: else no index serves it.
_UP = (
    # rebuilds one index and no row; the statistics of the column go with it
    'ALTER TABLE decisions ALTER invitation_id TYPE text COLLATE "C"',
    "ANALYZE decisions (invitation_id)",
    # what waits for its delay or for its subject to settle; one row a trigger and event
    """
    CREATE TABLE waiting (
        trigger text NOT NULL,
        source text COLLATE "C" NOT NULL,
        event_id text COLLATE "C" NOT NULL,
        subject_id text NOT NULL,
        customer_id text COLLATE "C",
        event jsonb NOT NULL,
        planned_at timestamptz NOT NULL,
        due_at timestamptz NOT NULL,
        heard_at timestamptz NOT NULL,
        traceparent text,
        PRIMARY KEY (event_id, source, trigger)
    )
    """,
    "CREATE INDEX waiting_due ON waiting (due_at)",
    "CREATE INDEX waiting_of_customer ON waiting (customer_id, planned_at)",
    "CREATE INDEX waiting_of_nobody ON waiting (due_at) WHERE customer_id IS NULL",
    "CREATE INDEX waiting_of_subject ON waiting (subject_id, trigger)",
    # events that make a question about their subject pointless
    """
    CREATE TABLE cancelling (
        subject_id text NOT NULL,
        customer_id text NOT NULL DEFAULT '',
        event_type text NOT NULL,
        event_time timestamptz NOT NULL,
        PRIMARY KEY (subject_id, customer_id, event_type, event_time)
    )
    """,
    "CREATE INDEX cancelling_by_age ON cancelling USING brin (event_time)",
    # who was asked of each value of a dimension that a cap limits: read only as far as the cap goes
    """
    CREATE TABLE group_asks (
        dimension text NOT NULL,
        value text NOT NULL,
        asked_at timestamptz NOT NULL,
        invitation_id text COLLATE "C" NOT NULL,
        PRIMARY KEY (dimension, value, asked_at, invitation_id)
    )
    """,
    "CREATE INDEX group_asks_by_age ON group_asks USING brin (asked_at)",
    (
        "CREATE TABLE groups (dimension text, value text, seen_at timestamptz NOT NULL,"
        " PRIMARY KEY (dimension, value))"
    ),
    # events and decisions in one order: a later one knew what the earlier had come to
    "CREATE SEQUENCE turns",
    # every event as it was read, without addresses: what decides again must know it
    """
    CREATE TABLE occasions (
        seq bigint PRIMARY KEY DEFAULT nextval('turns'),
        source text NOT NULL,
        event_id text NOT NULL,
        type text NOT NULL,
        time timestamptz NOT NULL,
        subject text,
        customer_id text,
        reach text[] NOT NULL,
        data jsonb NOT NULL,
        heard_at timestamptz NOT NULL,
        UNIQUE (source, event_id)
    )
    """,
    "CREATE INDEX occasions_by_age ON occasions USING brin (heard_at)",
    # the order and the reason of the decision itself; decision and reason go on with its invitation
    "ALTER TABLE decisions ADD turn bigint, ADD decided text, ADD facts jsonb",
    # one answer a row, its greatest version; and running counts by day
    """
    CREATE TABLE answers (
        id text COLLATE "C" PRIMARY KEY,
        version text COLLATE "C" NOT NULL,
        invitation_id text COLLATE "C",
        survey text NOT NULL,
        klass text NOT NULL,
        score smallint NOT NULL,
        segments jsonb NOT NULL,
        answered_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX answers_of_invitation ON answers (invitation_id) WHERE invitation_id IS NOT NULL",
    "CREATE INDEX answers_by_age ON answers USING brin (answered_at)",
    """
    CREATE TABLE answer_counts (
        survey text NOT NULL,
        dimension text NOT NULL,
        value text NOT NULL,
        day date NOT NULL,
        promoters integer NOT NULL DEFAULT 0,
        passives integer NOT NULL DEFAULT 0,
        detractors integer NOT NULL DEFAULT 0,
        total bigint NOT NULL DEFAULT 0,
        squares bigint NOT NULL DEFAULT 0,
        answered integer NOT NULL DEFAULT 0,
        late bigint NOT NULL DEFAULT 0,
        PRIMARY KEY (survey, dimension, value, day)
    ) WITH (fillfactor = 80)
    """,
    # how many were asked, by the day of the asking; `answered` and `late` above are by it too
    """
    CREATE TABLE ask_counts (
        survey text NOT NULL,
        dimension text NOT NULL,
        value text NOT NULL,
        day date NOT NULL,
        asked integer NOT NULL DEFAULT 0,
        PRIMARY KEY (survey, dimension, value, day)
    ) WITH (fillfactor = 80)
    """,
    "CREATE INDEX answer_counts_by_age ON answer_counts USING brin (day)",
    "CREATE INDEX ask_counts_by_age ON ask_counts USING brin (day)",
    # what both count: all replicas follow it, whichever programme brought it
    "CREATE TABLE counted (survey text, dimension text, PRIMARY KEY (survey, dimension))",
    # the newest yes or no of a customer by channel, and the event that said it
    """
    CREATE TABLE consents (
        customer_id text NOT NULL,
        channel text NOT NULL,
        said boolean NOT NULL,
        at timestamptz NOT NULL,
        source text NOT NULL,
        event_id text NOT NULL,
        PRIMARY KEY (customer_id, channel)
    )
    """,
    # relational surveys: how far each schedule has come, and when customers first did something
    """
    CREATE TABLE schedules (
        survey text PRIMARY KEY,
        position timestamptz NOT NULL,
        moved_at timestamptz NOT NULL,
        done text NOT NULL DEFAULT ''
    )
    """,
    """
    CREATE TABLE firsts (
        customer_id text NOT NULL,
        event_type text NOT NULL,
        at timestamptz NOT NULL,
        PRIMARY KEY (customer_id, event_type)
    )
    """,
    "CREATE INDEX firsts_in_time ON firsts (event_type, at)",
    """
    ALTER TABLE contacts ADD country text,
        ADD segments jsonb NOT NULL DEFAULT '{}', ADD touchpoint text,
        ADD slot double precision
    """,
    # as services.trigger.domain.schedules.slot_of: the first 40 bits of a hash, as a share
    """
    UPDATE contacts SET slot = ('x' || encode(
        substr(sha256(convert_to(customer_id, 'UTF8')), 1, 5), 'hex'
    ))::bit(40)::bigint / 1099511627776.0::double precision
    """,
    "CREATE INDEX contacts_by_slot ON contacts (slot)",
    """
    ALTER TABLE invitations ADD zones text[] NOT NULL DEFAULT '{}', ADD basis text,
        ADD experiment text, ADD variant text, ADD reminder_of text COLLATE "C",
        ADD reminder smallint NOT NULL DEFAULT 0, ADD remind_at timestamptz
    """,
    (
        "CREATE INDEX invitations_to_remind ON invitations (remind_at)"
        " WHERE status = 'sent' AND remind_at IS NOT NULL"
    ),
    (
        "CREATE INDEX invitations_of_experiment ON invitations (experiment, variant)"
        " WHERE experiment IS NOT NULL"
    ),
    (
        "CREATE INDEX invitations_reminding ON invitations (reminder_of)"
        " WHERE reminder_of IS NOT NULL"
    ),
    "CREATE INDEX invitations_of_subject ON invitations (subject_id) WHERE status = 'scheduled'",
)


def upgrade() -> None:
    for statement in _UP:
        op.execute(statement)
