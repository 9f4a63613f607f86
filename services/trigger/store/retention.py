"""What may not be kept for ever is deleted, in batches."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

_BATCH: Final = 5000
_ENDED: Final = "status NOT IN ('scheduled', 'sending') AND published AND remind_at IS NULL"
_WAITING: Final = (
    "SELECT FROM invitations i"
    " WHERE i.customer_id = contacts.customer_id"
    " AND (i.status IN ('scheduled', 'sending') OR i.remind_at IS NOT NULL)"
)
_KNOWN: Final = "SELECT FROM contacts c WHERE c.customer_id = firsts.customer_id"
_DAY_BEFORE: Final = "day < CAST(CAST(:before AS timestamptz) AS date)"
_BY_TABLE: Final = {
    "events": ("(source, id)", "received_at < :before"),
    "decisions": ("seq", "decided_at < :before"),
    "invitations": ("id", f"created_at < :before AND {_ENDED}"),
    "contacts": (
        "customer_id",
        f"seen_at < :before AND NOT EXISTS ({_WAITING})",
    ),
    "firsts": ("(customer_id, event_type)", f"at < :before AND NOT EXISTS ({_KNOWN})"),
    "customers": ("id", "seen_at < :before"),
    "answers": ("id", "answered_at < :before"),
    "answer_counts": ("(survey, dimension, value, day)", _DAY_BEFORE),
    "ask_counts": ("(survey, dimension, value, day)", _DAY_BEFORE),
}


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long things are kept: event ids for repeats, everything else for the record."""

    dedupe: timedelta
    retention: timedelta


async def delete_old(engine: AsyncEngine, keeping: Keeping, now: datetime) -> dict[str, int]:
    """Delete what is too old, in transactions of 5,000 rows; how many rows of each table."""
    deleted = dict.fromkeys(_BY_TABLE, 0)
    for table, (key, old) in _BY_TABLE.items():
        age = keeping.dedupe if table in {"events", "customers"} else keeping.retention
        columns = key.strip("()")
        statement = text(
            f"DELETE FROM {table} WHERE {key} IN"  # noqa: S608
            f" (SELECT {columns} FROM {table} WHERE {old} LIMIT {_BATCH} FOR UPDATE SKIP LOCKED)"
        )
        while True:
            async with engine.begin() as connection:
                number = (await connection.execute(statement, {"before": now - age})).rowcount
            deleted[table] += number
            if number < _BATCH:
                break
    return deleted
