"""The tables `series` and `counts`: one upsert a batch, keys sorted."""

from collections.abc import Mapping

import asyncpg

from services.scoring.domain.cells import Line
from services.scoring.tables import SUMS

_COLUMNS = ("series", "hour", *SUMS)
# By COPY: arrays as parameters are looked at value by value by the driver, 13 sums a cell.
_INCOMING = (
    "CREATE TEMP TABLE IF NOT EXISTS incoming_counts (series bigint, hour integer, "
    + ", ".join(f"{name} integer" for name in SUMS)
    + ") ON COMMIT DELETE ROWS"
)
_ADD = (
    "WITH taken AS (DELETE FROM incoming_counts RETURNING *)"  # noqa: S608
    f" INSERT INTO counts AS c ({', '.join(_COLUMNS)})"
    f" SELECT {', '.join(_COLUMNS)} FROM taken ORDER BY series, hour"
    " ON CONFLICT (series, hour) DO UPDATE SET "
    + ", ".join(f"{name} = c.{name} + excluded.{name}" for name in SUMS)
)
_NAME = (
    "INSERT INTO series SELECT id, metric, scale, survey, slice, string_to_array(v, chr(31))"
    " FROM unnest($1::bigint[], $2::text[], $3::smallint[], $4::text[], $5::text[], $6::text[])"
    " AS s(id, metric, scale, survey, slice, v) ON CONFLICT DO NOTHING RETURNING id"
)


async def add(connection: asyncpg.Connection, sums: Mapping[tuple[int, int], list[int]]) -> None:
    """Add to the counts of (series, hour). Sorted, so batches never wait in a circle."""
    if not sums:
        return
    await connection.execute(_INCOMING)
    await connection.copy_records_to_table(
        "incoming_counts", records=((*key, *row) for key, row in sums.items()), columns=_COLUMNS
    )
    await connection.execute(_ADD)


async def name_lines(connection: asyncpg.Connection, lines: Mapping[Line, int]) -> set[int]:
    """Store what these series count; return the numbers that others had committed before."""
    rows = sorted(lines.items(), key=lambda pair: pair[1])
    new = await connection.fetch(
        _NAME,
        [number for _, number in rows],
        [line.metric for line, _ in rows],
        [line.scale for line, _ in rows],
        [line.survey for line, _ in rows],
        [line.slice for line, _ in rows],
        ["\x1f".join(line.values) for line, _ in rows],
    )
    return set(lines.values()) - {row[0] for row in new}
