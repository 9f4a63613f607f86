"""Entries out of PostgreSQL: a binary COPY of rows of fixed width, read without a step each."""

import asyncio
from datetime import datetime
from typing import Any, Final

import asyncpg
import numpy as np

from services.scoring.domain.answers import LOWEST, SENT
from services.scoring.domain.cells import ANSWERED, INVITED
from services.scoring.store.columns.book import LINE, CodeBook
from services.scoring.store.columns.entries import Entries, no_entries
from services.scoring.store.columns.spans import Ints, Spans
from services.scoring.store.columns.touched import FAR, moment_of, ticks

_HEAD: Final = 19  # bytes before the first row; two follow the last
_TAIL: Final = 2
_THEIR_EPOCH: Final = ticks(datetime.fromisoformat("2000-01-01T00:00:00Z"))
_LOWEST: Final = " ".join(f"WHEN '{name}' THEN {lowest}" for name, lowest in LOWEST.items())


_BEFORE: Final = " ,".join(
    f"(SELECT {moment} FROM answers WHERE {moment} < $1::text::timestamptz"  # noqa: S608
    f" ORDER BY {moment} DESC OFFSET $2 LIMIT 1)"
    for moment in ("answered_at", "invited_at")
)
_FIRST: Final = f"SELECT (extract(epoch FROM greatest({_BEFORE})) * 1000000)::bigint"  # noqa: S608


class TooMuch(Exception):
    """There is more than may be kept."""


async def read_entries(
    connection: asyncpg.Connection, book: CodeBook, spans: Spans, at_most: int
) -> Entries:
    """All entries of these spans, in no order; the book learns what is new. Raises TooMuch."""
    if not len(spans):
        return no_entries(len(book.dimensions))
    form = _form(len(book.dimensions))
    text = bytearray()

    async def take(part: bytes) -> None:
        text.extend(part)

    statement = f"{_statement(book, spans)} LIMIT {at_most + 1}"
    await connection.copy_from_query(statement, output=take, format="binary")
    rows = _rows(text, form)
    if len(rows) > at_most:
        raise TooMuch
    lines, values = rows["line"].astype(np.int64), _hashes(rows, book)
    await book.learn(connection, lines, values)
    if len(rows) < 10_000:
        return _entries(rows, lines, values, book)
    return await asyncio.to_thread(_entries, rows, lines, values, book)


async def chunk_before(connection: asyncpg.Connection, end: int, size: int) -> int:
    """Where to begin so that some `size` answers lie before `end`; `-FAR` where there are less."""
    start = await connection.fetchval(_FIRST, _moment(end).strip("'"), size)
    return -FAR if start is None else int(start)


def _rows(text: bytearray, form: np.dtype[Any]) -> Any:
    rows = np.frombuffer(text, form, (len(text) - _HEAD - _TAIL) // form.itemsize, _HEAD)
    if (len(text) - _HEAD - _TAIL) % form.itemsize or np.any(rows["fields"] != rows["fields"][:1]):
        raise ValueError("rows of another width than was asked for")
    return rows


def _hashes(rows: Any, book: CodeBook) -> dict[str, Ints]:
    return {name: rows[f"d{place}"].astype(np.int64) for place, name in enumerate(book.dimensions)}


def _entries(rows: Any, lines: Ints, values: dict[str, Ints], book: CodeBook) -> Entries:
    kinds, surveys = book.split(lines)
    return Entries(
        rows["time"].astype(np.int64) + _THEIR_EPOCH,
        rows["event"].astype(np.int64) + _THEIR_EPOCH,
        rows["column"].astype(np.uint8),
        kinds,
        surveys,
        tuple(book.codes(name, values[name]) for name in book.dimensions),
    )


def _form(dimensions: int) -> np.dtype[Any]:
    """A row of COPY: how many fields, then each with its width before it."""
    parts: list[tuple[str, str]] = [("fields", ">i2")]
    named = [("time", ">i8"), ("event", ">i8"), ("column", ">i2"), ("line", ">i8")]
    for name, kind in named + [(f"d{place}", ">i8") for place in range(dimensions)]:
        parts += [(f"{name} width", ">i4"), (name, kind)]
    return np.dtype(parts)


def _statement(book: CodeBook, spans: Spans) -> str:
    lists = (", ".join(map(_moment, moments)) for moments in (spans.starts, spans.ends))
    starts, ends = (f"ARRAY[{moments}]::timestamptz[]" for moments in lists)
    reply = _select(
        book,
        ("answered_at", "coalesce(event_at, answered_at)"),
        f"(score - CASE metric {_LOWEST} END)::smallint",
        ("metric", "scale", "coalesce(asked_survey, survey, '')"),
        "coalesce(asked_segments, segments)",
    )
    asking = _select(
        book,
        ("invited_at", "event_at"),
        f"(CASE WHEN answered_at IS NULL THEN {INVITED} ELSE {ANSWERED} END)::smallint",
        ("asked_metric", "asked_scale", "asked_survey"),
        "asked_segments",
    )
    return (
        f"SELECT c.* FROM unnest({starts}, {ends}) AS s(start, finish) CROSS JOIN LATERAL ("  # noqa: S608
        f"{reply} WHERE answered_at >= s.start AND answered_at < s.finish"
        f" UNION ALL {asking} WHERE status = '{SENT}'"
        " AND invited_at >= s.start AND invited_at < s.finish) AS c"
    )


def _select(
    book: CodeBook,
    moments: tuple[str, str],
    column: str,
    line: tuple[str, str, str],
    segments: str,
) -> str:
    hashed = [LINE.format(metric=line[0], scale=line[1], survey=line[2])]
    hashed += [f"{segments} ->> {_quoted(name)}" for name in book.dimensions]
    hashes = [f"coalesce(hashtextextended({text}, {book.seed}), 0)" for text in hashed]
    return f"SELECT {', '.join([*moments, column, *hashes])} FROM answers"  # noqa: S608


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"


def _moment(tick: int) -> str:
    if abs(tick) >= FAR:
        return "'infinity'" if tick > 0 else "'-infinity'"
    return f"'{moment_of(tick).isoformat()}'"
