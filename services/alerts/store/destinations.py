"""Destinations that were disabled, and the way back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain.deliveries import Addressee, Disabled

_DISABLE: Final = sa.text("""
    INSERT INTO disabled (destination, url, at, detail) VALUES (:destination, :url, :at, :detail)
    ON CONFLICT (destination) DO UPDATE SET url = excluded.url, at = excluded.at,
        detail = excluded.detail WHERE disabled.url <> excluded.url
""")
_READ: Final = sa.text("""
    SELECT at, detail FROM disabled WHERE destination = :destination AND url = :url
""")
_ENABLE: Final = sa.text("DELETE FROM disabled WHERE destination = :destination AND url = :url")
# The time in which it was told nothing is not counted against what waited.
_DUE: Final = sa.text("""
    UPDATE deliveries SET next_at = :now, since = :now, attempts = 0
    WHERE destination = :destination AND state = 'pending'
""")
_WAITING: Final = sa.text("""
    SELECT destination, count(*) FROM deliveries WHERE state = 'pending' GROUP BY destination
""")


async def disable(connection: AsyncConnection, to: Addressee, disabled: Disabled) -> None:
    """Claim nothing for a destination from now on; the first reason stays."""
    values = {"at": disabled.at, "detail": disabled.detail}
    await connection.execute(_DISABLE, _names(to) | values)


async def read_disabled(connection: AsyncConnection, to: Addressee) -> Disabled | None:
    """Since when and why a destination is told nothing."""
    row = (await connection.execute(_READ, _names(to))).one_or_none()
    return None if row is None else Disabled(*row)


async def enable(connection: AsyncConnection, to: Addressee, now: datetime) -> bool:
    """Tell a destination again, what has waited at once; False if it was not disabled."""
    if not (await connection.execute(_ENABLE, _names(to))).rowcount:
        return False
    await connection.execute(_DUE, {"destination": to.name, "now": now})
    return True


async def count_waiting(connection: AsyncConnection) -> Mapping[str, int]:
    """How many deliveries wait, by destination; one that fires on waits between its tries."""
    rows = await connection.execute(_WAITING)
    return {destination: int(number) for destination, number in rows}


def _names(to: Addressee) -> dict[str, object]:
    return {"destination": to.name, "url": to.url}
