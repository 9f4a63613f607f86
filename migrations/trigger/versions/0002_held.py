"""Whether a letter that was claimed has certainly not gone out yet."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # false: whoever does not say so, as the programs before this one, may have handed it over
    op.execute("ALTER TABLE invitations ADD held boolean NOT NULL DEFAULT false")
