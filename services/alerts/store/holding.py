"""Messages that a silence keeps back.

A destination that is told again and again what fires would take silence for the end: what it was
told before goes on being said, as it was, and its changes wait.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain.deliveries import Held, Outcome, released
from services.alerts.domain.silences import Silence, silenced_by
from services.alerts.store.alerts import read_alert
from services.alerts.store.silences import read_lasting

_DUE: Final = sa.text("""
    SELECT d.key, a.body FROM deliveries d JOIN alerts a ON a.id = d.alert_id
    JOIN changes c ON c.alert_id = d.alert_id AND c.revision = d.revision
    WHERE d.destination = :destination AND d.state = 'pending' AND d.next_at <= :now
        AND NOT (d.key = d.alert_id AND d.told_at IS NOT NULL
            AND c.change NOT IN ('resolved', 'accepted'))
    ORDER BY d.next_at LIMIT :most FOR UPDATE OF d SKIP LOCKED
""")
_HELD: Final = sa.text("""
    SELECT d.key, d.alert_id, d.revision, a.revision AS newest, a.body, EXISTS (
        SELECT FROM deliveries o WHERE o.alert_id = d.alert_id
            AND o.destination = d.destination AND o.told_at IS NOT NULL
    ) AS told FROM deliveries d JOIN alerts a ON a.id = d.alert_id
    WHERE d.destination = :destination AND d.state = 'held'
    ORDER BY d.since, d.key LIMIT :most FOR UPDATE OF d SKIP LOCKED
""")
# The time in which it was silenced is not counted against it.
_TURN: Final = sa.text("""
    UPDATE deliveries SET state = :state, next_at = :now, since = :now, attempts = 0
    WHERE destination = :destination AND key = ANY(CAST(:keys AS text[]))
""")
_STOOD_STILL: Final = sa.text("""
    SELECT d.key, a.body FROM deliveries d JOIN alerts a ON a.id = d.alert_id
    WHERE d.destination = :destination AND d.state = 'pending' AND d.key = d.alert_id
        AND d.revision < a.revision FOR UPDATE OF d SKIP LOCKED
""")
_GO_ON: Final = sa.text("""
    UPDATE deliveries d SET revision = a.revision, next_at = :now, since = :now, attempts = 0
    FROM alerts a WHERE a.id = d.alert_id AND d.destination = :destination
        AND d.key = ANY(CAST(:keys AS text[]))
""")
LOOKED_AT: Final = 1_000  # at a time


async def keep_silence(connection: AsyncConnection, name: str, now: datetime) -> Sequence[Silence]:
    """Hold back what is due to a destination and silenced; let go or drop what is so no longer.

    Gives the silences that last.
    """
    silences = await read_lasting(connection, now)
    await _let_go(connection, name, silences, now)
    await _go_on(connection, name, silences, now)
    if silences:
        await _hold(connection, name, silences, now)
    return silences


async def _go_on(
    connection: AsyncConnection, name: str, silences: Sequence[Silence], now: datetime
) -> None:
    """Alerts that stood still as they were told are told as they are."""
    rows = await connection.execute(_STOOD_STILL, {"destination": name})
    keys = [r.key for r in rows if not silenced_by(read_alert(r.body), silences, now)]
    if keys:
        await connection.execute(_GO_ON, {"destination": name, "keys": keys, "now": now})


async def _hold(
    connection: AsyncConnection, name: str, silences: Sequence[Silence], now: datetime
) -> None:
    values = {"destination": name, "now": now, "most": LOOKED_AT}
    while True:  # what is due first is claimed next, so that must have been looked at
        rows = (await connection.execute(_DUE, values)).all()
        quiet = [r.key for r in rows if silenced_by(read_alert(r.body), silences, now)]
        if quiet:
            await _turn(connection, name, {Outcome.HELD: quiet}, now)
        if not quiet or len(rows) < LOOKED_AT:
            return


async def _let_go(
    connection: AsyncConnection, name: str, silences: Sequence[Silence], now: datetime
) -> None:
    turned: dict[Outcome, list[str]] = {}
    for row in await connection.execute(_HELD, {"destination": name, "most": LOOKED_AT}):
        alert = read_alert(row.body)
        if row.revision == row.newest and silenced_by(alert, silences, now):
            continue  # an older one nobody will hear of: it makes room for those to look at
        held = Held(row.key, row.revision, row.told)
        outcome = released(held, row.newest, is_over=alert.state.is_over)
        turned.setdefault(outcome, []).append(row.key)
    await _turn(connection, name, turned, now)


async def _turn(
    connection: AsyncConnection, name: str, turned: Mapping[Outcome, list[str]], now: datetime
) -> None:
    for outcome, keys in turned.items():
        values = {"destination": name, "state": outcome, "keys": keys, "now": now}
        await connection.execute(_TURN, values)
