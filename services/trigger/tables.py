"""The tables that the API reads with conditions of its caller's choice."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = sa.MetaData()

_WHEN = sa.DateTime(timezone=True)

decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("event_type", sa.Text, nullable=False),
    sa.Column("event_time", _WHEN, nullable=False),
    sa.Column("customer_id", sa.Text),
    sa.Column("subject_id", sa.Text, nullable=False),
    sa.Column("touchpoint", sa.Text),
    sa.Column("segments", JSONB, nullable=False),
    sa.Column("trigger", sa.Text, nullable=False),
    sa.Column("survey", sa.Text),
    sa.Column("decision", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("invitation_id", sa.Text),
    sa.Column("decided_at", _WHEN, nullable=False),
    sa.Column("programme", sa.Text, nullable=False),
    sa.Column("decided", sa.Text),
    sa.Column("facts", JSONB),
)

invitations = sa.Table(
    "invitations",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("published", sa.Boolean, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("survey", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("metric", sa.Text, nullable=False),
    sa.Column("scale_low", sa.SmallInteger, nullable=False),
    sa.Column("scale_high", sa.SmallInteger, nullable=False),
    sa.Column("trigger", sa.Text, nullable=False),
    sa.Column("customer_id", sa.Text, nullable=False),
    sa.Column("subject_id", sa.Text, nullable=False),
    sa.Column("touchpoint", sa.Text),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("event_type", sa.Text, nullable=False),
    sa.Column("event_time", _WHEN, nullable=False),
    sa.Column("segments", JSONB, nullable=False),
    sa.Column("words", JSONB, nullable=False),
    sa.Column("channels", ARRAY(sa.Text), nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("send_at", _WHEN, nullable=False),
    sa.Column("expires_at", _WHEN, nullable=False),
    sa.Column("invited_at", _WHEN),
    sa.Column("resend_on_doubt", sa.Boolean, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("claim", sa.Uuid),
    sa.Column("claimed_at", _WHEN),
    sa.Column("detail", sa.Text),
    sa.Column("traceparent", sa.Text),
    sa.Column("zones", ARRAY(sa.Text), nullable=False),
    sa.Column("basis", sa.Text),
    sa.Column("experiment", sa.Text),
    sa.Column("variant", sa.Text),
    sa.Column("reminder_of", sa.Text),
    sa.Column("reminder", sa.SmallInteger, nullable=False),
    sa.Column("created_at", _WHEN, nullable=False),
)
