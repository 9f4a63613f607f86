"""What is counted: the layout that every replica follows, and the recount when it changes.

The row is locked for share by each batch, the table by a change, so a rolling deployment never
counts by two layouts at once: whoever brings a new one recounts, all others follow the row.
"""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec

from services.scoring.domain.answers import Change
from services.scoring.domain.cells import Layout
from services.scoring.store.rows import read_truth, sides_of

_CHUNK = 5_000
_READ = "SELECT paths::text, counted_pairs::text FROM layout"
_WRITE = "UPDATE layout SET paths = $1::text::jsonb, counted_pairs = $2::text::jsonb"
# One series after another, some at a time: a single statement over all would run out of its time.
_SERIES_AT_ONCE = 1_000
_FORGET = """
    WITH next AS (
        SELECT id FROM series WHERE $1::bigint IS NULL OR id > $1 ORDER BY id LIMIT $2
    ), gone AS (DELETE FROM counts WHERE series IN (SELECT id FROM next))
    SELECT max(id) FROM next
"""
_ALL = (
    f"SELECT a.id, {sides_of('a')} FROM answers a"  # noqa: S608
    " WHERE a.id > $1 ORDER BY a.id LIMIT $2"
)
# An answer kept its touchpoint in a field of its own; as a dimension it stands with the others.
_TOUCH = (
    "UPDATE answers SET segments = segments || jsonb_build_object($1::text, touchpoint)"
    " WHERE touchpoint IS NOT NULL AND revision IS NULL AND NOT segments ? $1"
)


async def read_layout(connection: asyncpg.Connection, lock: str = "") -> Layout:
    """The layout now counted by; `lock` such as `FOR SHARE`."""
    paths, pairs = await connection.fetchrow(f"{_READ} {lock}")
    return Layout(
        dict(msgspec.json.decode(paths, type=list[tuple[str, str | None]])),
        msgspec.json.decode(pairs, type=tuple[tuple[str, str], ...]),
    )


async def write_layout(connection: asyncpg.Connection, layout: Layout) -> None:
    """Change the layout and forget the counts; the caller recounts in the same transaction."""
    await connection.execute(_WRITE, _text(list(layout.paths.items())), _text(layout.pairs))
    last = await connection.fetchval(_FORGET, None, _SERIES_AT_ONCE)
    while last is not None:
        last = await connection.fetchval(_FORGET, last, _SERIES_AT_ONCE)
    for name, path in layout.paths.items():
        if path == "touchpoint":
            await connection.execute(_TOUCH, name)


async def all_answers(connection: asyncpg.Connection) -> AsyncIterator[list[Change]]:
    """Every answer as if it had just come, in chunks."""
    last = ""
    while rows := await connection.fetch(_ALL, last, _CHUNK):
        last = rows[-1][0]
        yield [Change(None, read_truth(*row)) for row in rows]


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
