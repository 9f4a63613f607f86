"""Destinations that were disabled, messages that were given up, and the way back of both."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain.deliveries import Addressee, DeadLetter, Disabled, Outcome

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
_BY_STATE: Final = sa.text("""
    SELECT destination, state, count(*) FROM deliveries
    WHERE state IN ('pending', 'held', 'dead') GROUP BY destination, state
""")
_DEAD: Final = sa.text("""
    SELECT count(*) FROM deliveries WHERE destination = :destination AND state = 'dead'
""")
_LETTERS: Final = """
    SELECT key, alert_id, revision, since, next_at, attempts, detail FROM deliveries
    WHERE destination = :destination AND state = 'dead' {after}
    ORDER BY since, key LIMIT :most
"""
_DECIDE: Final = sa.text("""
    UPDATE deliveries SET state = CAST(:state AS text), next_at = :now, attempts = 0,
        since = CASE WHEN CAST(:state AS text) = 'pending' THEN :now ELSE since END
    WHERE destination = :destination AND state = 'dead'
        AND (CAST(:alert_id AS text) IS NULL OR alert_id = :alert_id)
""")


async def disable(connection: AsyncConnection, to: Addressee, disabled: Disabled) -> bool:
    """Claim nothing for a destination from now on; False where it was so, and its reason stays."""
    values = {"at": disabled.at, "detail": disabled.detail}
    return bool((await connection.execute(_DISABLE, _names(to) | values)).rowcount)


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


async def count_by_state(connection: AsyncConnection) -> Mapping[tuple[str, Outcome], int]:
    """How many deliveries wait (between its tries too), are held, and were given up."""
    rows = await connection.execute(_BY_STATE)
    return {(name, Outcome(state)): int(number) for name, state, number in rows}


async def count_dead(connection: AsyncConnection, name: str) -> int:
    """How many messages for a destination were given up."""
    found = await connection.execute(_DEAD, {"destination": name})
    return int(found.scalar_one())


async def list_dead(
    connection: AsyncConnection, name: str, after: tuple[datetime, str] | None, most: int
) -> Sequence[DeadLetter]:
    """The messages for a destination that were given up, oldest first."""
    values: dict[str, Any] = {"destination": name, "most": most}
    if after is not None:
        values |= {"since": after[0], "key": after[1]}
    beyond = "" if after is None else "AND (since, key) > (:since, :key)"
    rows = await connection.execute(sa.text(_LETTERS.format(after=beyond)), values)
    return [DeadLetter(*row) for row in rows]


async def decide_dead(
    connection: AsyncConnection, name: str, alert_id: str | None, state: Outcome, now: datetime
) -> int:
    """Try what was given up once more, or drop it: all of it, or that of one alert; count it."""
    values = {"destination": name, "alert_id": alert_id, "state": state, "now": now}
    return (await connection.execute(_DECIDE, values)).rowcount


def _names(to: Addressee) -> dict[str, object]:
    return {"destination": to.name, "url": to.url}
