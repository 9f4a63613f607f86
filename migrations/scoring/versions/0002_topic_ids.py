"""Each place names the topic that it belongs to: one made anew has the same name."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # a table that 0001 makes today has it
    op.execute("ALTER TABLE offsets ADD COLUMN IF NOT EXISTS topic_id text NOT NULL DEFAULT ''")
