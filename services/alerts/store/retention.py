"""What grows is deleted in batches, so that nobody waits."""

from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.domain.answers import minute_of

_BATCH: Final = 5_000
_JUDGED_LONG_AGO: Final = (
    "minute < :minute AND minute < (SELECT l.judged_to FROM lines l"
    " WHERE l.metric = old.metric AND l.survey = old.survey) - :minutes"
)
# Evidence is old by event time, as far as it was judged; ids and messages by the wall clock.
_OLD: Final = {
    "ticks": _JUDGED_LONG_AGO,
    "remarks": _JUDGED_LONG_AGO,
    "counted": "counted_at < :before",
    "deliveries": "since < :before AND state <> 'pending'",
    "changes": "at < :before AND published",
}


async def delete_old(engine: AsyncEngine, keep: timedelta, now: datetime) -> dict[str, int]:
    """Delete at most one batch of each table; say how many rows went."""
    values = {
        "before": now - keep,
        "minute": minute_of(now - keep),
        "minutes": int(keep.total_seconds()) // 60,
        "most": _BATCH,
    }
    gone = {}
    for table, condition in _OLD.items():
        statement = sa.text(
            f"DELETE FROM {table} WHERE ctid IN"  # noqa: S608
            f" (SELECT ctid FROM {table} AS old WHERE {condition} LIMIT :most)"
        )
        used = {name: value for name, value in values.items() if f":{name}" in statement.text}
        async with engine.begin() as connection:
            gone[table] = (await connection.execute(statement, used)).rowcount
    return gone
