"""Whole days of answers in columns, so that a process that starts need not read every answer."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Microseconds since 1970, `after` is out; every row is as the snapshot in `days_known` has it.
    op.execute(
        """
        CREATE TABLE days (
            first bigint PRIMARY KEY,
            after bigint NOT NULL,
            size integer NOT NULL,
            entries bytea STORAGE EXTERNAL NOT NULL
        )
        """
    )
    op.execute(
        """
        CREATE TABLE days_known (
            single boolean PRIMARY KEY DEFAULT true CHECK (single),
            snapshot text NOT NULL,
            mark xid8 NOT NULL,
            system text NOT NULL,
            at timestamptz NOT NULL
        )
        """
    )
