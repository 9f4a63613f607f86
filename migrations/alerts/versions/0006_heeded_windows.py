"""From which minute on the judge heeded a maintenance window, to judge the past by the same."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Minutes up to `after` were judged without it: it was made later.
    op.execute("""
        CREATE TABLE heeded (
            silence_id text REFERENCES silences ON DELETE CASCADE,
            metric text,
            survey text,
            after integer NOT NULL,
            PRIMARY KEY (silence_id, metric, survey)
        )
    """)
    op.execute("""
        INSERT INTO heeded
        SELECT s.id, l.metric, l.survey, 0 FROM silences s CROSS JOIN lines l WHERE s.maintenance
    """)
