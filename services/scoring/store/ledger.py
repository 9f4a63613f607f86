"""The table `answers`: one statement a batch, for both sides, sorted by id.

Sorted in one statement, two batches never wait for one another in a circle. The row that comes
back tells what the answer was and what it is.
"""

from collections.abc import Sequence
from typing import Any

import asyncpg

from services.scoring.domain.answers import Change, Truth
from services.scoring.store.rows import asking_columns, read_truth, reply_columns, sides_of
from services.scoring.tables import ASKING, REPLY, brought_as, write_as

_NEWER = {
    "reply": (
        "excluded.answered_at IS NOT NULL AND (a.answered_at IS NULL"
        " OR (excluded.answered_at, excluded.digest) > (a.answered_at, a.digest))"
    ),
    "asking": "excluded.revision IS NOT NULL AND coalesce(excluded.revision > a.revision, true)",
}
_SIDES = {"reply": REPLY, "asking": ASKING}
_EXISTED = "old.id IS NOT NULL"  # else the row is what was brought, and need not come back


def _statement(sides: Sequence[str]) -> str:
    columns = ("id", *(name for side in sides for name in _SIDES[side]))
    values = ", ".join(write_as(name) for name in columns)
    changes = ", ".join(
        f"{name} = excluded.{name}"
        if len(sides) == 1
        else f"{name} = CASE WHEN {_NEWER[side]} THEN excluded.{name} ELSE a.{name} END"
        for side in sides
        for name in _SIDES[side]
    )
    newer = " OR ".join(f"({_NEWER[side]})" for side in sides)
    names = ", ".join(columns)
    return (
        f"INSERT INTO answers AS a ({names}) SELECT {values} FROM incoming"  # noqa: S608
        f" ON CONFLICT (id) DO UPDATE SET {changes} WHERE {newer}"
        f" RETURNING new.id, {_EXISTED}, {sides_of('old')}, {sides_of('new', where=_EXISTED)}"
    )


# COPY takes a third of the time that arrays as parameters take to be written.
_INCOMING = (
    "CREATE TEMP TABLE IF NOT EXISTS incoming ("
    + ", ".join(f"{name} {brought_as(name)}" for name in ("id", *REPLY, *ASKING))
    + ") ON COMMIT DELETE ROWS"
)
_STATEMENTS: dict[tuple[str, ...], str] = {
    sides: _statement(sides) for sides in (("reply",), ("asking",), ("reply", "asking"))
}
_READERS = {"reply": reply_columns, "asking": asking_columns}


async def record(connection: asyncpg.Connection, truths: Sequence[Truth]) -> list[Change]:
    """Store the truths (one an id, sorted) and return what changed; repeats change nothing."""
    sides = tuple(
        side for side in _SIDES if any(getattr(truth, side) is not None for truth in truths)
    )
    if not sides:
        return []
    columns = [column for side in sides for column in _READERS[side](truths)]
    names = ("id", *(name for side in sides for name in _SIDES[side]))
    await connection.execute(_INCOMING)
    await connection.copy_records_to_table(
        "incoming", records=zip([t.id for t in truths], *columns, strict=True), columns=names
    )
    rows = await connection.fetch(_STATEMENTS[sides])
    if len(rows) == len(truths) and not any(row[1] for row in rows):
        return [Change(None, truth) for truth in truths]
    fresh = {truth.id: truth for truth in truths}
    return [_change(row, fresh) for row in rows]


def _change(row: Any, fresh: dict[str, Truth]) -> Change:
    key: str = row[0]
    if not row[1]:
        return Change(None, fresh[key])
    return Change(read_truth(key, *row[2:4]), read_truth(key, *row[4:]))
