"""How many answers an alert had when it was last explained."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE alerts ADD COLUMN looked_n integer NOT NULL DEFAULT 0")
