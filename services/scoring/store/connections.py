"""The driver's own connection, in the transaction that SQLAlchemy began."""

from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection


async def driver_of(connection: AsyncConnection) -> asyncpg.Connection:
    """The asyncpg connection underneath, inside the transaction that SQLAlchemy began.

    Arrays of whole batches go through it at several times the speed.
    """
    raw: Any = await connection.get_raw_connection()
    if not raw.driver_connection.is_in_transaction():
        await connection.execute(sa.text("SELECT 1"))  # SQLAlchemy begins with its first statement
    return raw.driver_connection
