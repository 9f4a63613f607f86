"""The values of each dimension, at most 10,000 of them; later ones count as `other`.

A dimension's values only grow and stop at the cap, so what was counted as `other` once always is.
"""

from collections.abc import Collection, Mapping

import asyncpg

from services.scoring.domain.cells import VALUES_AT_MOST

Value = tuple[str, str]  # dimension, value

_KNOWN = (
    "SELECT d.dimension, d.value FROM dimension_values d"
    " JOIN unnest($1::text[], $2::text[]) AS w(dimension, value) USING (dimension, value)"
)
_ADMIT = """
    WITH wanted AS (
        SELECT dimension, value,
            row_number() OVER (PARTITION BY dimension ORDER BY value COLLATE "C") AS place
        FROM unnest($1::text[], $2::text[]) AS w(dimension, value)
        WHERE NOT EXISTS (SELECT FROM dimension_values d
            WHERE d.dimension = w.dimension AND d.value = w.value)
    ), room AS (
        SELECT dimension, count(*) AS taken FROM dimension_values
        WHERE dimension = ANY($1) GROUP BY dimension
    )
    INSERT INTO dimension_values
    SELECT dimension, value FROM wanted LEFT JOIN room USING (dimension)
    WHERE place + coalesce(taken, 0) <= $3 ON CONFLICT DO NOTHING
"""
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('earshot-scoring-values'))"
_SIZES = "SELECT dimension, count(*) FROM dimension_values GROUP BY dimension"
_FULL = (
    "SELECT dimension FROM dimension_values WHERE dimension = ANY($1::text[])"
    " GROUP BY dimension HAVING count(*) >= $2"
)


async def known_values(connection: asyncpg.Connection, wanted: Collection[Value]) -> set[Value]:
    """Those of `wanted` that stand in the table."""
    if not wanted:
        return set()
    dimensions, values = zip(*wanted, strict=True)
    return {(row[0], row[1]) for row in await connection.fetch(_KNOWN, dimensions, values)}


async def admit_values(
    connection: asyncpg.Connection, wanted: Collection[Value], *, at_most: int = VALUES_AT_MOST
) -> set[Value]:
    """Store new values while their dimension has room; return those of `wanted` that stand."""
    if not wanted:
        return set()
    dimensions, values = zip(*sorted(wanted), strict=True)
    await connection.execute(_LOCK)  # until the commit: two batches never fill the last place
    await connection.execute(_ADMIT, dimensions, values, at_most)
    return await known_values(connection, wanted)


async def value_counts(connection: asyncpg.Connection) -> Mapping[str, int]:
    """How many values each dimension has."""
    return {row[0]: row[1] for row in await connection.fetch(_SIZES)}


async def full_among(
    connection: asyncpg.Connection, dimensions: Collection[str], at_most: int
) -> set[str]:
    """Those of the dimensions that have no room for a further value."""
    if not dimensions:
        return set()
    rows = await connection.fetch(_FULL, list(dimensions), at_most)
    return {row[0] for row in rows}
