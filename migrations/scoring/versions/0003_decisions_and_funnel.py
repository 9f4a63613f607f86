"""Decisions on events, and the running counts of how far events came."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TABLES = (
    # The present truth of one event under one trigger; '' where none listens.
    """
    CREATE TABLE decisions (
        event_id text COLLATE "C" NOT NULL,
        source text COLLATE "C" NOT NULL,
        trigger text COLLATE "C" NOT NULL,
        decided_at timestamptz NOT NULL,
        rank smallint NOT NULL,
        digest text COLLATE "C" NOT NULL,
        survey text NOT NULL,
        stage text NOT NULL,
        reason text NOT NULL,
        event_time timestamptz NOT NULL,
        invitation_id text,
        segments jsonb NOT NULL,
        PRIMARY KEY (event_id, source, trigger)
    )
    """,
    "CREATE INDEX decisions_by_event ON decisions (event_time)",
    "CREATE INDEX decisions_by_age ON decisions (decided_at)",
    # How many events of an hour ended at a step; `series` as for `counts`, without a metric.
    """
    CREATE TABLE funnel (
        series bigint NOT NULL,
        hour integer NOT NULL,
        step text COLLATE "C" NOT NULL,
        n integer NOT NULL,
        PRIMARY KEY (series, hour, step)
    ) WITH (fillfactor = 80)
    """,
    # Invitations that are known already are counted when the layout is next adopted.
    "ALTER TABLE layout ADD COLUMN funnel boolean NOT NULL DEFAULT false",
)


def upgrade() -> None:
    for statement in _TABLES:
        op.execute(statement)
