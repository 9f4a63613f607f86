"""All answers of a search, chunk by chunk."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

import asyncpg
import msgspec

from services.scoring.domain.answers import LOWEST, class_at
from services.scoring.domain.cells import VALUES_AT_MOST
from services.scoring.domain.spreadsheet import Cells, Column, Kind
from services.scoring.store.searching import Search, full_for, ordered
from services.scoring.store.slices import Arguments

CHUNK: Final = 2_000
_REASONS = msgspec.json.Decoder(list[str])
_FIXED: Final = (
    Column("id"),
    Column("survey"),
    Column("metric"),
    Column("scale_low", Kind.WHOLE),
    Column("scale_high", Kind.WHOLE),
    Column("score", Kind.WHOLE),
    Column("class"),
    Column("answered_at", Kind.MOMENT),
    Column("event_at", Kind.MOMENT),
    Column("touchpoint"),
    Column("customer_id"),
    Column("language"),
    Column("reasons", Kind.TEXTS),
    Column("comment"),
)
_READ = (
    "id, survey, metric, scale, score, answered_at, asked_event_at, touchpoint, customer_id,"
    " language, reasons::text, comment"
)


def answer_columns(dimensions: Sequence[str]) -> list[Column]:
    """The columns of an export of answers: no dimension's name meets another column's."""
    return [*_FIXED, *(Column(f"segment_{name}") for name in dimensions)]


async def read_answers(
    connection: asyncpg.Connection,
    search: Search,
    dimensions: Sequence[str],
    *,
    values_at_most: int = VALUES_AT_MOST,
) -> AsyncGenerator[list[Any], None]:
    """Yield chunks of at most 2,000 rows for `answer_row`, in the order of the list.

    The caller holds one snapshot. Each chunk is one statement with a time-out of its own, and
    is only read when it is asked for.
    """
    full = await full_for(connection, search, values_at_most)
    told = Arguments()
    segments = "".join(f", segments ->> {told.add(name)}" for name in dimensions)
    rows = ordered(search, told, full, "*")
    await connection.execute(
        f"DECLARE export NO SCROLL CURSOR FOR SELECT {_READ}{segments} FROM ({rows}) AS r"  # noqa: S608
        " ORDER BY placed_at DESC, id DESC",
        *told.values,
    )
    while rows := await connection.fetch(f"FETCH {CHUNK} FROM export"):
        yield rows


def answer_row(row: Any) -> Cells:
    """The cells of one answer."""
    key, survey, metric, scale, score, answered_at, event_at, *rest = row
    touchpoint, customer, language, reasons, comment, *segments = rest
    return (
        key,
        survey,
        metric,
        LOWEST[metric],
        scale,
        score,
        str(class_at(metric, scale, score)),
        answered_at,
        event_at,
        touchpoint,
        customer,
        language,
        _REASONS.decode(reasons),
        comment,
        *segments,
    )
