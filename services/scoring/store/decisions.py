"""The table `decisions`: one statement a batch, sorted by key, and the deletion of what is old."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg
import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring.domain.decisions import Decision, Key, Turn

_COLUMNS: Final[tuple[str, ...]] = Decision.__struct_fields__
_TYPES: Final = {
    **dict.fromkeys(_COLUMNS, "text"),
    "decided_at": "timestamptz",
    "rank": "smallint",
    "event_time": "timestamptz",
}
_NAMES: Final = ", ".join(_COLUMNS)
_VALUES: Final = _NAMES.replace("segments", "segments::jsonb")
_READ: Final = _NAMES.replace("segments", "segments::text")
_KEY: Final = "event_id, source, trigger"

_INCOMING: Final = (
    "CREATE TEMP TABLE IF NOT EXISTS incoming_decisions ("
    + ", ".join(f"{name} {_TYPES[name]}" for name in _COLUMNS)
    + ") ON COMMIT DELETE ROWS"
)
_BEFORE: Final = ", ".join(
    f"old.{name}::text" if name == "segments" else f"old.{name}" for name in _COLUMNS
)
_RECORD: Final = (
    f"INSERT INTO decisions AS d ({_NAMES})"  # noqa: S608
    f" SELECT {_VALUES} FROM incoming_decisions"
    f" ON CONFLICT ({_KEY}) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[3:])
    + " WHERE (excluded.decided_at, excluded.rank, excluded.digest)"
    " > (d.decided_at, d.rank, d.digest)"
    " RETURNING new.event_id, new.source, new.trigger, old.event_id IS NOT NULL,"
    f" {_BEFORE}"
)
_ALL: Final = (
    f"SELECT {_READ} FROM decisions WHERE ({_KEY}) > ($1, $2, $3)"  # noqa: S608
    f" ORDER BY {_KEY} LIMIT $4"
)
_CHUNK: Final = 5_000
_BATCH: Final = 5_000
# A batch that is under way may have taken for new what is deleted now, were there no grace.
_GRACE: Final = timedelta(hours=1)
_DELETE: Final = text(
    "DELETE FROM decisions WHERE ctid = ANY(ARRAY(SELECT ctid FROM decisions"
    " WHERE decided_at < :before LIMIT :most FOR UPDATE SKIP LOCKED))"
)
_JSON: Final = msgspec.json.Encoder()
_SEGMENTS: Final = msgspec.json.Decoder(dict[str, str])


async def record_decisions(
    connection: asyncpg.Connection, decisions: Sequence[Decision]
) -> list[Turn]:
    """Store decisions (one a key, sorted) and return what changed; repeats change nothing."""
    if not decisions:
        return []
    await connection.execute(_INCOMING)
    await connection.copy_records_to_table(
        "incoming_decisions", records=map(_row, decisions), columns=_COLUMNS
    )
    rows = await connection.fetch(_RECORD)
    if len(rows) == len(decisions) and not any(row[3] for row in rows):
        return [Turn(None, decision) for decision in decisions]
    fresh: dict[Key, Decision] = {decision.key: decision for decision in decisions}
    return [Turn(_read(row[4:]) if row[3] else None, fresh[tuple(row[:3])]) for row in rows]


async def all_decisions(connection: asyncpg.Connection) -> AsyncIterator[list[Turn]]:
    """Every decision as if it had just come, in chunks."""
    last: Key = ("", "", "")
    while rows := await connection.fetch(_ALL, *last, _CHUNK):
        turns = [Turn(None, _read(row)) for row in rows]
        last = turns[-1].after.key
        yield turns


async def delete_decisions(engine: AsyncEngine, before: datetime) -> int:
    """Delete a batch of what was decided an hour and more before; how many rows went.

    What comes later and was decided before is counted nowhere, so nothing is counted twice.
    """
    async with engine.begin() as connection:
        gone = await connection.execute(_DELETE, {"before": before - _GRACE, "most": _BATCH})
        return gone.rowcount


def _row(decision: Decision) -> tuple[Any, ...]:
    *columns, segments = msgspec.structs.astuple(decision)
    return (*columns, _JSON.encode(segments).decode())


def _read(row: Sequence[Any]) -> Decision:
    columns: list[Any] = [*row[:-1], _SEGMENTS.decode(row[-1])]
    return Decision(*columns)
