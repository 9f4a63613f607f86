"""Answers, the running counts over them, and what the counts are made by."""

from alembic import op

from shared.stream.offsets import create_table

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_POINTS = ", ".join(f"p{point} integer NOT NULL" for point in range(11))

# Ids are unique in a plain table; what grows is deleted in batches (architecture, rule 12).
_TABLES = (
    # One row an id, written by both sides: the reply (answered_at to received_at), and the
    # invitation (revision to invited_at). Either may be absent until it comes.
    """
    CREATE TABLE answers (
        id text COLLATE "C" PRIMARY KEY,
        answered_at timestamptz,
        digest text COLLATE "C",
        invited boolean,
        survey text,
        metric text,
        scale smallint,
        score smallint,
        segments jsonb,
        touchpoint text,
        customer_id text,
        reasons jsonb,
        comment text,
        language text,
        channel text,
        submission_id text,
        received_at timestamptz,
        revision integer,
        status text,
        asked_survey text,
        kind text,
        asked_metric text,
        asked_scale smallint,
        asked_segments jsonb,
        asked_touchpoint text,
        asked_customer_id text,
        event_at timestamptz,
        invited_at timestamptz,
        CHECK (answered_at IS NULL OR score <= scale)
    )
    """,
    "CREATE INDEX answers_by_time ON answers (answered_at, metric) WHERE answered_at IS NOT NULL",
    "CREATE INDEX answers_by_event ON answers (event_at) WHERE event_at IS NOT NULL",
    "CREATE INDEX answers_by_invitation ON answers (invited_at) WHERE invited_at IS NOT NULL",
    # Where an answer's invitation is known, its frozen truth replaces what the answer brought.
    """
    CREATE VIEW scored AS SELECT
        id, metric, scale, score, answered_at, coalesce(event_at, answered_at) AS event_at,
        event_at AS asked_event_at,
        coalesce(asked_survey, survey) AS survey,
        coalesce(asked_segments, segments) AS segments,
        CASE WHEN revision IS NULL THEN touchpoint ELSE asked_touchpoint END AS touchpoint,
        CASE WHEN revision IS NULL THEN customer_id ELSE asked_customer_id END AS customer_id,
        reasons, comment, language
    FROM answers WHERE answered_at IS NOT NULL
    """,
    """
    CREATE TABLE layout (
        single boolean PRIMARY KEY DEFAULT true CHECK (single),
        paths jsonb NOT NULL,
        pairs jsonb NOT NULL
    )
    """,
    "INSERT INTO layout (paths, pairs) VALUES ('[]', '[]')",
    """
    CREATE TABLE dimension_values (
        dimension text COLLATE "C" NOT NULL,
        value text COLLATE "C" NOT NULL,
        PRIMARY KEY (dimension, value)
    )
    """,
    # What a series counts; `id` is the first 8 bytes of a BLAKE2b of the rest.
    """
    CREATE TABLE series (
        id bigint PRIMARY KEY,
        metric text NOT NULL,
        scale smallint NOT NULL,
        survey text NOT NULL,
        slice text NOT NULL,
        "values" text[] NOT NULL
    )
    """,
    "CREATE INDEX series_of_slice ON series (slice, metric, survey)",
    # Answers at each point in the hour they were given; invitations in the hour they were sent.
    f"""
    CREATE TABLE counts (
        series bigint NOT NULL,
        hour integer NOT NULL,
        {_POINTS},
        invited integer NOT NULL,
        answered integer NOT NULL,
        PRIMARY KEY (series, hour)
    ) WITH (fillfactor = 80)
    """,
    # Hours come about in order, so a window's rows lie together.
    """
    CREATE INDEX counts_by_hour ON counts USING brin (hour)
        WITH (pages_per_range = 16, autosummarize = on)
    """,
)


def upgrade() -> None:
    for statement in _TABLES:
        op.execute(statement)
    create_table(op)
