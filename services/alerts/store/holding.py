"""Messages that a silence keeps back."""

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
    WHERE d.destination = :destination AND d.state = 'pending' AND d.next_at <= :now
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
LOOKED_AT: Final = 1_000  # at a time


async def keep_silence(connection: AsyncConnection, name: str, now: datetime) -> None:
    """Hold back what is due to a destination and silenced; let go or drop what is so no longer."""
    silences = await read_lasting(connection, now)
    await _let_go(connection, name, silences, now)
    if silences:
        await _hold(connection, name, silences, now)


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
