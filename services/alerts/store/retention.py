"""What grows is deleted in batches, so that nobody waits."""

from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.domain.answers import minute_of

_BATCH: Final = 5_000
# By line, for the indexes begin with it: nobody reads all evidence once an hour.
_JUDGED_LONG_AGO: Final = """
    SELECT old.ctid FROM lines l CROSS JOIN LATERAL (
        SELECT e.ctid FROM {table} e WHERE e.metric = l.metric AND e.survey = l.survey
            AND e.minute < least(:minute, l.judged_to - :minutes) LIMIT :most
    ) old LIMIT :most
"""
_LONG_AGO: Final = "SELECT ctid FROM {table} WHERE {column} < :before AND {done} LIMIT :most"
# Evidence is old by event time, as far as it was judged; ids and messages by the wall clock.
_OLD: Final = {
    "ticks": _JUDGED_LONG_AGO.format(table="ticks"),
    "remarks": _JUDGED_LONG_AGO.format(table="remarks"),
    "traced": _JUDGED_LONG_AGO.format(table="traced"),
    "counted": _LONG_AGO.format(table="counted", column="counted_at", done="true"),
    "deliveries": _LONG_AGO.format(
        table="deliveries", column="since", done="state NOT IN ('pending', 'held')"
    ),
    "changes": _LONG_AGO.format(table="changes", column="at", done="published"),
    "audit": _LONG_AGO.format(table="audit", column="at", done="true"),
    "silences": _LONG_AGO.format(table="silences", column="ends_at", done="true"),
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
    for table, old in _OLD.items():
        # an array, and the rows are fetched by their places: IN would read the whole table
        statement = sa.text(f"DELETE FROM {table} WHERE ctid = ANY(ARRAY({old}))")  # noqa: S608
        used = {name: value for name, value in values.items() if f":{name}" in statement.text}
        async with engine.begin() as connection:
            gone[table] = (await connection.execute(statement, used)).rowcount
    return gone
