"""By which version of the judge a line's state was written; one that is older stands down."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Rows are not written anew, and who does not name the column leaves it as it is.
    op.execute("ALTER TABLE lines ADD COLUMN layout integer NOT NULL DEFAULT 0")
