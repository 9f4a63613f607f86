"""What one process remembers between batches: values and lines that are known to be committed.

Nothing that a transaction of ours has yet to commit is remembered, so a batch that is aborted
leaves nothing false behind.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import asyncpg

from services.scoring.domain.cells import VALUES_AT_MOST, Line
from services.scoring.domain.tallies import Places
from services.scoring.store.counts import name_lines
from services.scoring.store.values import Value, admit_values, known_values

_LINES_AT_MOST = 500_000


class Book:
    """Lines and their numbers, and the values of each dimension."""

    def __init__(self, *, values_at_most: int = VALUES_AT_MOST) -> None:
        self._at_most = values_at_most
        self._lines: dict[Line, int] = {}
        self._values: dict[str, set[str]] = {}
        self.turned_away: Counter[str] = Counter()

    async def number(
        self, connection: asyncpg.Connection, lines: Iterable[Line]
    ) -> Mapping[Line, int]:
        """The number of each line; what a new one counts is stored first."""
        new = {line: line.number for line in lines if line not in self._lines}
        if not new:
            return self._lines
        if len(self._lines) > _LINES_AT_MOST:
            self._lines.clear()
            return await self.number(connection, lines)
        committed = await name_lines(connection, new)
        self._lines |= {line: number for line, number in new.items() if number in committed}
        return self._lines | new

    def knows(self, dimensions: Sequence[str], parts: Sequence[Places[Any]]) -> bool:
        """Whether each value has its place already: then `cap` leaves the parts as they are."""
        return not any(self._unknown(dimensions, parts).values())

    async def cap(
        self,
        connection: asyncpg.Connection,
        dimensions: Sequence[str],
        parts: Sequence[Places[Any]],
    ) -> list[Places[Any]]:
        """Count as `other` what a dimension has no room for; new values take their place.

        Once a transaction, with all that it counts: admitting values holds a lock until the commit.
        """
        unknown = self._unknown(dimensions, parts)
        if not any(unknown.values()):
            return list(parts)
        admitted = await self._admit(connection, unknown)
        away = [
            {value for value in unknown[name] if (name, value) not in admitted}
            for name in dimensions
        ]
        if not any(away):
            return list(parts)
        for name, turned in zip(dimensions, away, strict=True):
            self.turned_away[name] += len(turned)
        return [part.capped(away) for part in parts]

    def _unknown(
        self, dimensions: Sequence[str], parts: Sequence[Places[Any]]
    ) -> Mapping[str, set[str]]:
        values = [
            set[str]().union(*column) for column in zip(*(p.values() for p in parts), strict=True)
        ]
        return {
            name: found - self._values.setdefault(name, set())
            for name, found in zip(dimensions, values, strict=True)
        }

    async def _admit(
        self, connection: asyncpg.Connection, unknown: Mapping[str, set[str]]
    ) -> set[Value]:
        """Those of the unknown values that stand in the table, after what has room was stored."""
        asked = {
            (name, value)
            for name, values in unknown.items()
            if len(self._values[name]) < self._at_most  # else all that will ever stand are known
            for value in values
        }
        standing = await known_values(connection, asked)
        for name, value in standing:
            self._values[name].add(value)
        return standing | await admit_values(connection, asked - standing, at_most=self._at_most)
