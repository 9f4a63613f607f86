"""Silences, dead letters that are decided on, and who did what when."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
older_replicas = (
    "write the three states of before, which the wider check allows, and claim no others"
)

_NEW = "state IN ('pending', 'sent', 'dead', 'held', 'dropped')"


def upgrade() -> None:
    op.execute("ALTER TABLE deliveries DROP CONSTRAINT deliveries_state_check")
    op.execute(f"ALTER TABLE deliveries ADD CONSTRAINT deliveries_state_check CHECK ({_NEW})")
    # since when the destination knows of it
    op.execute("ALTER TABLE deliveries ADD COLUMN told_at timestamptz")
    op.execute("""
        UPDATE deliveries SET told_at = since
        WHERE state = 'sent' OR (state = 'pending' AND attempts = 0 AND next_at > since)
    """)
    op.execute("""
        CREATE INDEX deliveries_kept ON deliveries (destination, since, key)
            WHERE state IN ('dead', 'held')
    """)
    op.execute("CREATE INDEX deliveries_by_alert ON deliveries (alert_id)")
    # One that was ended early has the moment of that as its end, and stays: what came while it
    # lasted is still no evidence when it comes once more.
    op.execute("""
        CREATE TABLE silences (
            id text PRIMARY KEY,
            metric text,
            survey text,
            segment jsonb NOT NULL,
            begins_at timestamptz NOT NULL,
            ends_at timestamptz NOT NULL CHECK (begins_at <= ends_at),
            maintenance boolean NOT NULL,
            by text NOT NULL,
            note text,
            created_at timestamptz NOT NULL,
            ended_by text
        )
    """)
    op.execute("CREATE INDEX silences_by_time ON silences (created_at, id)")
    op.execute("CREATE INDEX silences_by_end ON silences (ends_at)")
    op.execute("""
        CREATE TABLE audit (
            seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            at timestamptz NOT NULL,
            by text,
            action text NOT NULL,
            subject text NOT NULL,
            note text,
            detail jsonb NOT NULL DEFAULT '{}'
        )
    """)
    op.execute("CREATE INDEX audit_by_time ON audit (at, seq)")
    op.execute("CREATE INDEX audit_by_subject ON audit (subject, at, seq)")
