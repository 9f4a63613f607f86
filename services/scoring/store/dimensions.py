"""The values that the dimensions take, from the running counts."""

from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg
import msgspec

from services.scoring.domain.tallies import OTHER
from services.scoring.tables import SUMS

_N = " + ".join(f"c.{name}" for name in SUMS[:-2])
_VALUES = (
    'SELECT s.slice, s."values"[1], '  # noqa: S608
    f"sum({_N})::bigint, max(c.hour) FILTER (WHERE {_N} > 0)"
    " FROM series s JOIN counts c ON c.series = s.id"
    f" WHERE s.slice = ANY($1::text[]) GROUP BY 1, 2 HAVING sum({_N}) > 0"
)
_LAST = (
    "SELECT last.name, a.value, max(a.answered_at)"
    " FROM unnest($1::text[], $2::int[]) AS last(name, hour) CROSS JOIN LATERAL ("
    "SELECT segments ->> last.name AS value, answered_at FROM scored"
    " WHERE answered_at >= to_timestamp(last.hour::bigint * 3600)"
    " AND answered_at < to_timestamp((last.hour + 1)::bigint * 3600) OFFSET 0) AS a GROUP BY 1, 2"
)


class Value(msgspec.Struct, frozen=True):
    """One value of a dimension: how many answers it has, and when the last one came."""

    value: str
    n: int
    last_answered_at: datetime | None


class Values(msgspec.Struct, frozen=True):
    """One dimension; `other` counts the answers beyond its 10,000 values."""

    dimension: str
    values: list[Value]
    other: int


async def list_values(
    connection: asyncpg.Connection, dimensions: Sequence[str], full: set[str]
) -> list[Values]:
    """Every configured dimension with its values, the most frequent first."""
    rows = await connection.fetch(_VALUES, list(dimensions))
    names, hours = zip(*{(row[0], row[3]) for row in rows}, strict=True) if rows else ((), ())
    last = {(row[0], row[1]): row[2] for row in await connection.fetch(_LAST, names, hours)}
    found: dict[str, list[Value]] = {name: [] for name in dimensions}
    others = dict.fromkeys(dimensions, 0)
    for name, value, count, _ in rows:
        if value == OTHER and name in full:
            others[name] = count
        else:
            moment = last.get((name, value))
            found[name].append(Value(value, count, moment and moment.astimezone(UTC)))
    return [
        Values(name, sorted(values, key=lambda one: (-one.n, one.value)), others[name])
        for name, values in found.items()
    ]
