"""Which trace a detractor's answer belongs to, of those that are followed."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE traced (
            id text PRIMARY KEY,
            metric text NOT NULL,
            survey text NOT NULL,
            minute integer NOT NULL,
            leaf jsonb NOT NULL,
            traceparent text NOT NULL
        )
    """)
    op.execute("CREATE INDEX traced_by_time ON traced (metric, survey, minute)")
