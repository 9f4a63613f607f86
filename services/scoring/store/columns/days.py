"""Whole days of entries kept in PostgreSQL: a process that starts reads these, not every answer.

A day is right as of one snapshot, that of its last keeping. What was touched since stands in the
notes, and whoever reads a day owes it to read those moments again. Notes go after an hour; so a
mark is left among them that goes earlier, and without its mark no day is believed.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import asyncpg
import numpy as np
import structlog

from services.scoring.store.columns.book import CodeBook, Kind
from services.scoring.store.columns.entries import Entries, join
from services.scoring.store.columns.held import Held
from services.scoring.store.columns.packing import FORMAT, Packed, entries_of, pack, unpack
from services.scoring.store.columns.spans import Spans
from services.scoring.store.columns.touched import FAR, read_touched

_log = structlog.get_logger()
DAY: Final = 86_400_000_000  # microseconds
_AT_ONCE: Final = 64  # days that are written in one transaction
_QUIET: Final = 3_600_000_000  # a day is kept when it has been over for an hour
_ALLOWED: Final = "SELECT has_function_privilege('pg_control_system()', 'EXECUTE')"
# Another cluster counts other transactions: a dump that was put into it brings no snapshot along.
_KNOWN: Final = """
    SELECT snapshot FROM days_known k
    WHERE system = (SELECT system_identifier || ' ' || $1::integer FROM pg_control_system())
    AND EXISTS (SELECT FROM touched t WHERE t.xid = k.mark)
"""
_DUE: Final = """
    SELECT pg_try_advisory_xact_lock(hashtext('earshot-scoring-days'))
    AND NOT EXISTS (SELECT FROM days_known WHERE at > clock_timestamp() - $1::interval)
"""
_BEFORE: Final = (
    "SELECT first, after, size FROM days WHERE after <= $1 ORDER BY first DESC LIMIT 500"
)
_READ: Final = "SELECT entries FROM days WHERE first = ANY($1::bigint[]) ORDER BY first"
_STALE: Final = """
    DELETE FROM days d USING unnest($1::bigint[], $2::bigint[]) AS s(start, finish)
    WHERE d.first < s.finish AND d.after > s.start
"""
# Where another process kept the day after this snapshot began, 40001 says so, and not 23505.
_KEEP: Final = """
    INSERT INTO days (first, after, size, entries) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""
_MARK: Final = """
    INSERT INTO touched (at, firsts, lasts, moments)
    VALUES (clock_timestamp() - interval '30 minutes', '{}', '{}', 0)
"""
_TELL: Final = """
    INSERT INTO days_known (snapshot, mark, system, at)
    SELECT pg_current_snapshot()::text, pg_current_xact_id(),
        system_identifier || ' ' || $1::integer, clock_timestamp() FROM pg_control_system()
    ON CONFLICT (single) DO UPDATE SET snapshot = excluded.snapshot, mark = excluded.mark,
        system = excluded.system, at = excluded.at
"""


@dataclass(frozen=True)
class Kept:
    """Entries from `start` on, in rising time; `owed` of them was touched since they were kept."""

    start: int
    entries: Entries
    owed: Spans


async def allowed(connection: asyncpg.Connection) -> bool:
    """Whether it may be read which cluster this is; without that no day is believed or kept."""
    if await connection.fetchval(_ALLOWED):
        return True
    _log.warning("columns keep no days: pg_control_system() is not allowed")
    return False


async def newest_before(connection: asyncpg.Connection, end: int) -> int:
    """Where the newest day that is over by `end` ends; -FAR where no day is to be believed."""
    if await connection.fetchval(_KNOWN, FORMAT) is None:
        return -FAR
    rows = await connection.fetch(_BEFORE, end)
    return int(rows[0]["after"]) if rows else -FAR


async def read_days(
    connection: asyncpg.Connection,
    book: CodeBook,
    end: int,
    room: int,
    at_once: int,
    owed_at_most: int,
) -> Kept | None:
    """The newest days that end with `end` and follow one another: one, or some up to `at_once`.

    No more entries than there is room for. None where there is none, or where more of them than may
    be owed was touched. The book learns their names. Raises Clash.
    """
    start, size = end, 0
    for first, after, more in await connection.fetch(_BEFORE, end):
        size += more
        if after != start or size > (room if start == end else min(room, at_once)):
            break
        start = first
    snapshot = await connection.fetchval(_KNOWN, FORMAT)
    if start == end or snapshot is None:
        return None
    rows = await connection.fetch(_READ, list(range(start, end, DAY)))
    days = [unpack(row[0]) for row in rows]
    if any(set(day.values) != set(book.dimensions) for day in days):
        return None
    for day in days:
        await book.learn_names(connection, day.lines, day.values)
    entries = await asyncio.to_thread(_joined, days, book)
    owed = (await read_touched(connection, snapshot)).spans.within(start, end)
    low, high = np.searchsorted(entries.time, owed.starts), np.searchsorted(entries.time, owed.ends)
    return Kept(start, entries, owed) if int((high - low).sum()) <= owed_at_most else None


async def is_due(connection: asyncpg.Connection, every_s: float) -> bool:
    """Whether days are to be kept now, and by this transaction."""
    return bool(await connection.fetchval(_DUE, timedelta(seconds=every_s)))


async def keep_days(connection: asyncpg.Connection, held: Held, now: int) -> int:
    """Keep every whole day that `held`, this snapshot's, has; return how many were written."""
    snapshot = await connection.fetchval(_KNOWN, FORMAT)
    if snapshot is None:
        await connection.execute("DELETE FROM days")
    else:
        stale = (await read_touched(connection, snapshot)).spans
        await connection.execute(_STALE, stale.starts.tolist(), stale.ends.tolist())
    known = {row[0] for row in await connection.fetch("SELECT first FROM days")}
    written = 0
    for day in _whole_days(held, now):
        if day in known or written == _AT_ONCE:
            continue
        # before the thread: while it runs the book may have the one anew and not yet the other
        kinds, surveys = list(held.book.kinds), list(held.book.surveys)
        size, text = await asyncio.to_thread(_packed, held, day, kinds, surveys)
        if size:
            await connection.execute(_KEEP, day, day + DAY, size, text)
            written += 1
    await connection.execute(_MARK)
    await connection.execute(_TELL, FORMAT)
    return written


def _joined(days: Sequence[Packed], book: CodeBook) -> Entries:
    return join([entries_of(day, book) for day in days])


def _packed(
    held: Held, day: int, kinds: Sequence[Kind], surveys: Sequence[str]
) -> tuple[int, bytes]:
    entries = held.between(day, day + DAY)
    return len(entries), pack(entries, kinds, surveys, held.book.values)


def _whole_days(held: Held, now: int) -> Sequence[int]:
    """The starts of those that are held as a whole, newest first."""
    oldest = held.oldest
    if oldest is None:
        return ()
    start = max(held.start, oldest // DAY * DAY)
    return range((now - _QUIET) // DAY * DAY - DAY, -(-start // DAY) * DAY - 1, -DAY)
