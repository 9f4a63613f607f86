"""Rows as columns: one statement for a whole batch."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import TextClause, text


def unnested(types: Mapping[str, str], name: str = "r") -> str:
    """A FROM item of one row per position: `unnest(CAST(:a AS text[]), …) AS r(a, …)`."""
    arrays = ", ".join(f"CAST(:{column} AS {kind}[])" for column, kind in types.items())
    return f"unnest({arrays}) AS {name}({', '.join(types)})"


def columns(types: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    """The parameters of `unnested` for these rows, their values in the order of `types`."""
    turned = list(zip(*rows, strict=True)) if rows else [()] * len(types)
    return {column: list(values) for column, values in zip(types, turned, strict=True)}


def insert_all(
    table: str, types: Mapping[str, str], casts: Mapping[str, str], end: str
) -> TextClause:
    """INSERT of a batch; `casts` gives the expression where a column needs one."""
    values = ", ".join(casts.get(column, f"r.{column}") for column in types)
    names = ", ".join(types)
    return text(f"INSERT INTO {table} ({names}) SELECT {values} FROM {unnested(types)} {end}")  # noqa: S608
