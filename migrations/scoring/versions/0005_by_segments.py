"""Answers are found by their segments."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A search reads the list of what is not yet sorted in, so it is kept short.
    op.execute(
        """
        CREATE INDEX answers_by_segments ON answers
            USING gin (coalesce(asked_segments, segments) jsonb_path_ops)
            WITH (gin_pending_list_limit = 512)
            WHERE answered_at IS NOT NULL
        """
    )
