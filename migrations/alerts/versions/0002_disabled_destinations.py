"""Destinations that said that they are gone."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE disabled (
            destination text PRIMARY KEY,
            url text NOT NULL,
            at timestamptz NOT NULL,
            detail text NOT NULL
        )
    """)
