"""Events, customers, decisions, invitations, contacts, suppressions."""

from alembic import op

from shared.stream.offsets import create_table

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Ids are unique in plain tables; what grows is deleted in batches (architecture, rule 12).
_TABLES = (
    """
    CREATE TABLE events (
        source text COLLATE "C" NOT NULL,
        id text COLLATE "C" NOT NULL,
        received_at timestamptz NOT NULL,
        PRIMARY KEY (source, id)
    )
    """,
    "CREATE INDEX events_by_age ON events USING brin (received_at)",
    """
    CREATE TABLE customers (
        id text COLLATE "C" PRIMARY KEY,
        seen_at timestamptz NOT NULL
    ) WITH (fillfactor = 80)
    """,
    """
    CREATE TABLE contacts (
        customer_id text PRIMARY KEY,
        email text,
        phone text,
        locale text,
        timezone text,
        seen_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE decisions (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        source text NOT NULL,
        event_id text NOT NULL,
        event_type text NOT NULL,
        event_time timestamptz NOT NULL,
        customer_id text,
        subject_id text NOT NULL,
        touchpoint text,
        segments jsonb NOT NULL,
        trigger text NOT NULL,
        survey text,
        decision text NOT NULL,
        reason text NOT NULL,
        invitation_id text,
        decided_at timestamptz NOT NULL,
        programme text NOT NULL,
        UNIQUE (event_id, source, trigger)
    )
    """,
    "CREATE INDEX decisions_of_customer ON decisions (customer_id, seq)",
    "CREATE INDEX decisions_by_reason ON decisions (reason, seq)",
    "CREATE INDEX decisions_of_trigger ON decisions (trigger, seq)",
    "CREATE INDEX decisions_by_age ON decisions USING brin (decided_at)",
    """
    CREATE INDEX decisions_of_invitation ON decisions (invitation_id)
        WHERE invitation_id IS NOT NULL
    """,
    """
    CREATE TABLE invitations (
        id text COLLATE "C" PRIMARY KEY,
        revision integer NOT NULL DEFAULT 1,
        published boolean NOT NULL DEFAULT false,
        status text NOT NULL DEFAULT 'scheduled',
        survey text NOT NULL,
        kind text NOT NULL,
        metric text NOT NULL,
        scale_low smallint NOT NULL,
        scale_high smallint NOT NULL,
        trigger text NOT NULL,
        customer_id text NOT NULL,
        subject_id text NOT NULL,
        touchpoint text,
        source text NOT NULL,
        event_id text NOT NULL,
        event_type text NOT NULL,
        event_time timestamptz NOT NULL,
        segments jsonb NOT NULL,
        words jsonb NOT NULL,
        channels text[] NOT NULL CHECK (cardinality(channels) > 0),
        language text NOT NULL,
        send_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        invited_at timestamptz,
        resend_on_doubt boolean NOT NULL,
        attempts integer NOT NULL DEFAULT 0,
        claim uuid,
        claimed_at timestamptz,
        detail text,
        traceparent text,
        created_at timestamptz NOT NULL,
        CHECK (status IN ('scheduled', 'sending', 'sent', 'undeliverable', 'cancelled', 'expired',
                          'unknown'))
    ) WITH (fillfactor = 80)
    """,
    "CREATE INDEX invitations_due ON invitations (send_at) WHERE status = 'scheduled'",
    "CREATE INDEX invitations_sending ON invitations (claimed_at) WHERE status = 'sending'",
    "CREATE INDEX invitations_unpublished ON invitations (id) WHERE NOT published",
    "CREATE INDEX invitations_of_customer ON invitations (customer_id)",
    "CREATE INDEX invitations_by_age ON invitations (created_at, id)",
    """
    CREATE TABLE suppressions (
        customer_id text NOT NULL,
        channel text NOT NULL,
        reason text NOT NULL,
        by text,
        at timestamptz NOT NULL,
        PRIMARY KEY (customer_id, channel)
    )
    """,
)


def upgrade() -> None:
    create_table(op)  # the module is the operations' proxy
    for statement in _TABLES:
        op.execute(statement)
