"""What was promised beside what came, once a night."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE TABLE audits (made_at timestamptz PRIMARY KEY, body jsonb NOT NULL)")
