"""Audits of the promise: made by one process at a time, kept, read."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.alerts.domain.promise import Audit

AUDITING: Final = 0x6561_7273_686F_7403  # an advisory lock
_KEPT: Final = timedelta(days=400)
_LOCK: Final = sa.text("SELECT pg_try_advisory_lock(:key)")
_NEWEST: Final = sa.text("SELECT body FROM audits ORDER BY made_at DESC LIMIT 1")
_WRITE: Final = sa.text("""
    INSERT INTO audits (made_at, body) VALUES (:made_at, CAST(:body AS jsonb))
    ON CONFLICT (made_at) DO NOTHING
""")
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


async def read_newest(connection: AsyncConnection) -> Audit | None:
    """The newest audit."""
    body = (await connection.execute(_NEWEST)).scalar_one_or_none()
    return None if body is None else msgspec.convert(body, Audit)


async def write_audit(connection: AsyncConnection, audit: Audit) -> None:
    """Keep it, and forget those that are older than 400 days."""
    body = msgspec.json.encode(audit).decode()
    await connection.execute(_WRITE, {"made_at": audit.made_at, "body": body})
    await connection.execute(_FORGET, {"before": audit.made_at - _KEPT})
