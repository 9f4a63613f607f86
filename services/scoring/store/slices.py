"""The SQL of a slice taken from the answers themselves: dimensions as d0, d1, d2."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from services.scoring.domain.questions import Question, Segment
from services.scoring.domain.windows import Cuts


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with the cuts of its windows; `only` these groups, or all."""

    question: Question
    cuts: Cuts
    only: Sequence[Segment] | None = None


class Arguments:
    """Collects the parameters of a statement; `add` gives each its place."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def add(self, value: Any, kind: str = "text") -> str:
        """Return the placeholder of this value, such as `$3::text`."""
        self.values.append(value)
        return f"${len(self.values)}::{kind}"


def dimension_columns(
    question: Question, told: Arguments, segments: str, full: set[str]
) -> list[str]:
    """One column a dimension; a value beyond a full dimension's counts as `other`, as in counts."""
    return [
        f"{value_column(name, told, segments, full)} AS d{place}"
        for place, name in enumerate(question.dimensions)
    ]


def value_column(name: str, told: Arguments, segments: str, full: Collection[str]) -> str:
    """The value under which an answer counts: `other` where a full dimension has no room for it."""
    dimension = told.add(name)
    value = f"{segments} ->> {dimension}"
    if name not in full:
        return value
    return (
        f"CASE WHEN {value} IS NULL OR EXISTS (SELECT FROM dimension_values v"
        f" WHERE v.dimension = {dimension} AND v.value = {value})"
        f" THEN {value} ELSE 'other' END"
    )


def filters(question: Question, told: Arguments, only: Sequence[Segment] | None = None) -> str:
    """Which rows belong to the slice: every dimension has a value, and the ones asked for."""
    found = [f"d{place} IS NOT NULL" for place in range(len(question.dimensions))]
    for name, value in question.where:
        found.append(f"d{question.dimensions.index(name)} = {told.add(value)}")
    found += among(by_columns(question), only, told)
    return " AND ".join(found) or "true"


def among(columns: Sequence[str], only: Sequence[Segment] | None, told: Arguments) -> list[str]:
    """The condition that the columns are one of these segments; none where all are asked for."""
    if only is None:
        return []
    arrays = [told.add([one[place] for one in only], "text[]") for place in range(len(columns))]
    return [f"({', '.join(columns)}) IN (SELECT * FROM unnest({', '.join(arrays)}))"]  # noqa: S608


def by_columns(question: Question) -> list[str]:
    """The columns by which it is grouped."""
    return [f"d{question.dimensions.index(name)}" for name in question.by]


def at_edges(cuts: Cuts, told: Arguments, table: str, within: str) -> str:
    """Return the rows of `table` a in the spans e that only answers can tell.

    `within` places a row of a in its span. Spans of less than an hour are looked up one by one:
    the planner cannot know that a join with them is narrow.
    """
    if not cuts.hours:
        return f"{_edges(cuts, told)} JOIN {table} a ON {within}"
    inner = f"SELECT * FROM {table} a WHERE {within} OFFSET 0"  # noqa: S608
    return f"{_edges(cuts, told)} CROSS JOIN LATERAL ({inner}) AS a"


def _edges(cuts: Cuts, told: Arguments) -> str:
    numbers, starts, ends = zip(*cuts.edges, strict=True)
    arrays = (
        told.add(numbers, "int[]"),
        told.add(starts, "timestamptz[]"),
        told.add(ends, "timestamptz[]"),
    )
    return f"unnest({', '.join(arrays)}) AS e(number, start, finish)"


async def grouped(
    connection: asyncpg.Connection,
    told: Arguments,
    inner: str,
    keys: Sequence[str],
    sums: str,
    where: str,
) -> list[Any]:
    """Fetch `keys` and then `sums`, grouped by the keys."""
    named = ", ".join(keys)
    found: list[Any] = await connection.fetch(
        f"SELECT {named}, {sums} FROM ({inner}) AS i WHERE {where} GROUP BY {named}",  # noqa: S608
        *told.values,
    )
    return found
