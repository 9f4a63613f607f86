"""Letters are claimed by channel: what waits for one delays no other."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE INDEX invitations_due_by_channel ON invitations ((channels[1]), send_at)
        WHERE status = 'scheduled'
    """)
    op.execute("DROP INDEX invitations_due")
