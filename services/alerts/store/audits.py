"""Audits of the promise: made by one process at a time, kept, read."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.alerts.domain.answers import DAY, Line
from services.alerts.domain.clusters import CORRELATION
from services.alerts.domain.promise import Audit, Sample
from shared.segments import segment_key

AUDITING: Final = 0x6561_7273_686F_7403  # an advisory lock
_KEPT: Final = timedelta(days=400)
_LOCK: Final = sa.text("SELECT pg_try_advisory_lock(:key)")
_NEWEST: Final = sa.text("SELECT body FROM audits ORDER BY made_at DESC LIMIT 1")
_WRITE: Final = sa.text("""
    INSERT INTO audits (made_at, body) VALUES (:made_at, CAST(:body AS jsonb))
    ON CONFLICT (made_at) DO NOTHING
""")
# What a cluster is worth: domain/clusters.py.
_SAMPLE: Final = sa.text("""
    SELECT coalesce(sum(answers), 0), coalesce(sum(detractors), 0), coalesce(sum(
        answers / (1 + (answers - 1) * CASE cluster
            WHEN '' THEN 0.0 ELSE CAST(:correlation AS float8) END)), 0)
    FROM (
        SELECT cluster, sum(answers) AS answers, sum(detractors) AS detractors FROM (
            SELECT minute, leaf, cluster, answers, detractors FROM ticks
            WHERE metric = :metric AND survey = :survey AND minute BETWEEN :first AND :last
                AND answers > 0
            ORDER BY minute DESC LIMIT :most
        ) AS lately
        WHERE CAST(leaf AS jsonb) @> CAST(:segment AS jsonb) GROUP BY cluster, minute / :day
    ) AS alike
""")
_MOST: Final = 1_000_000  # rows; of a very busy line the newest
_FORGET: Final = sa.text("DELETE FROM audits WHERE made_at < :before")


@asynccontextmanager
async def auditing(engine: AsyncEngine) -> AsyncIterator[AsyncConnection | None]:
    """A connection that holds the auditor's lock until the end; None where another holds it."""
    async with engine.connect() as connection:
        async with connection.begin():
            locked = (await connection.execute(_LOCK, {"key": AUDITING})).scalar_one()
        if not locked:
            yield None
            return
        try:
            yield connection
        finally:
            await connection.invalidate()  # the lock goes with it, whatever state it is in


async def read_sample(
    connection: AsyncConnection, line: Line, segment: Mapping[str, str], span: tuple[int, int]
) -> Sample:
    """A segment's answers in a span of minutes, both inclusive."""
    values = {
        **line._asdict(),
        "segment": segment_key(segment),
        "first": span[0],
        "last": span[1],
        "correlation": CORRELATION,
        "day": DAY,
        "most": _MOST,
    }
    answers, detractors, worth = (await connection.execute(_SAMPLE, values)).one()
    return Sample(int(answers), int(detractors), float(worth))


async def read_newest(connection: AsyncConnection) -> Audit | None:
    """The newest audit."""
    body = (await connection.execute(_NEWEST)).scalar_one_or_none()
    return None if body is None else msgspec.convert(body, Audit)


async def write_audit(connection: AsyncConnection, audit: Audit) -> None:
    """Keep it, and forget those that are older than 400 days."""
    body = msgspec.json.encode(audit).decode()
    await connection.execute(_WRITE, {"made_at": audit.made_at, "body": body})
    await connection.execute(_FORGET, {"before": audit.made_at - _KEPT})
