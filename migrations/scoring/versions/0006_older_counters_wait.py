"""Replicas that count no funnel and note nothing touched wait until they are replaced."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None
older_replicas = "find no such column, which is weather: they count nothing until replaced"


def upgrade() -> None:
    # Each batch reads the layout first. One that finds no such column is weather, so an older
    # replica counts nothing more: what it counted would be missing from the funnel for ever.
    op.execute("ALTER TABLE layout RENAME COLUMN pairs TO counted_pairs")
