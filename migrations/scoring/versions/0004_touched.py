"""Which moments each batch changed, so that what a process remembers is never out of date."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Spans in microseconds since 1970, both ends in; rows older than an hour are deleted.
    op.execute(
        """
        CREATE TABLE touched (
            xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
            at timestamptz NOT NULL DEFAULT clock_timestamp(),
            firsts bigint[] NOT NULL,
            lasts bigint[] NOT NULL,
            moments integer NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX touched_by_xid ON touched (xid)")
