"""Every change of an alert, and who is to be told."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain.alerts import Alert, Change
from services.alerts.domain.audit import Entry
from services.alerts.domain.deliveries import Outcome, Way, key_of
from services.alerts.domain.silences import silenced_by
from services.alerts.store.audit import note
from services.alerts.store.silences import read_lasting
from shared.columns import columns, unnested

Ways = Mapping[str, Way]  # destination to what it wants

_NOTE: Final = sa.text("""
    INSERT INTO changes (alert_id, revision, change, at, record)
    VALUES (:id, :revision, :change, :at, :record)
""")
_DELIVERY: Final = {
    "destination": "text",
    "key": "text",
    "alert_id": "text",
    "revision": "int",
    "next_at": "timestamptz",
}
# What fires for a destination that was told so goes on as it was while a silence lasts (holding).
_TELL: Final = sa.text(f"""
    INSERT INTO deliveries (destination, key, alert_id, revision, next_at, since, state)
    SELECT destination, key, alert_id, revision, next_at, next_at, :state
    FROM {unnested(_DELIVERY)}
    ON CONFLICT (destination, key) DO UPDATE SET revision = excluded.revision,
        next_at = excluded.next_at, since = excluded.since, state = excluded.state, attempts = 0
        WHERE excluded.state <> 'held' OR deliveries.state <> 'pending'
            OR deliveries.told_at IS NULL
""")  # noqa: S608


async def announce(
    connection: AsyncConnection, changes: Sequence[tuple[Alert, Change]], ways: Ways
) -> None:
    """Store changes and what each destination is to be told of them, or what a silence keeps."""
    if not changes:
        return
    now = max(alert.updated_at for alert, _ in changes)
    silences = await read_lasting(connection, now)
    for alert, change in changes:
        quiet = alert.silenced(silenced_by(alert, silences, now))
        await connection.execute(_NOTE, _change_values(quiet, change))
        await note(connection, _entry(alert, change))
        if not alert.historic and ways:
            state = Outcome.HELD if quiet.silenced_by else Outcome.PENDING
            rows = [
                (name, key_of(way, alert.id, alert.revision), alert.id, alert.revision, now)
                for name, way in sorted(ways.items())
            ]
            await connection.execute(_TELL, columns(_DELIVERY, rows) | {"state": state})


def _change_values(alert: Alert, change: Change) -> dict[str, Any]:
    return {
        "id": alert.id,
        "revision": alert.revision,
        "change": change,
        "at": alert.updated_at,
        "record": msgspec.json.encode(alert.record(change)).decode(),
    }


def _entry(alert: Alert, change: Change) -> Entry:
    word = alert.word_on(change)
    by, said = (word.by, word.note) if word else (None, None)
    detail = {"revision": alert.revision}
    return Entry(
        at=alert.updated_at, by=by, action=f"alert-{change}", subject=alert.id, note=said,
        detail=detail,
    )  # fmt: skip
