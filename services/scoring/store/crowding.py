"""How the answers of each group crowd into clusters, and by how much that widens what is said."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import asyncpg
import numpy as np

from services.scoring.domain.alikeness import Alikeness
from services.scoring.domain.clusters import design_effect
from services.scoring.domain.questions import Question
from services.scoring.domain.scores import Floats, Ints
from services.scoring.domain.sheets import Sheet
from services.scoring.domain.windows import BUCKETS_AT_MOST, TooManyBuckets, Window, buckets_of
from services.scoring.store.reader import Reader
from services.scoring.tables import SUMS
from shared.programme.scoring import DAY, DIMENSIONS_AT_MOST

_CELLS_AT_MOST: Final = 20_000  # groups times days that are counted one by one
_DAY: Final = timedelta(days=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_N: Final = " + ".join(f"c.{name}" for name in SUMS[:-2])
_ANSWERED: Final = (
    f"SELECT c.hour / 24, sum({_N})::bigint FROM counts c WHERE c.series IN"  # noqa: S608
    " (SELECT id FROM series WHERE slice = '' AND metric = $1) GROUP BY 1"
)


@dataclass(frozen=True)
class Widening:
    """Reads design effects. Nothing is read where answers of one cluster are not alike."""

    reader: Reader
    alike: Alikeness
    zone: ZoneInfo

    def kinds(self, question: Question) -> tuple[str, ...]:
        """By what the answers of this question are taken to cluster.

        A dimension that the question names is none, for each group has one value of it; nor is
        one that would be the question's fourth.
        """
        taken = question.dimensions
        room = len(taken) < DIMENSIONS_AT_MOST
        return tuple(
            kind for kind in self.alike.kinds if kind == DAY or (room and kind not in taken)
        )

    async def effects(
        self,
        connection: asyncpg.Connection,
        question: Question,
        windows: Sequence[Window],
        sheet: Sheet,
    ) -> Floats:
        """The design effect of each group in each window, [window, group]; never below 1."""
        sizes = np.stack([sheet.n(number) for number in range(len(windows))])
        found = []
        for kind in self.kinds(question):
            rho = self.alike.of(question.metric, question.dimensions, kind)
            if not rho:
                continue
            if kind == DAY:
                crowd = await self._by_day(connection, question, windows, sheet, sizes)
            else:
                crowd = await self._by(connection, question, windows, sheet, kind)
            found.append((crowd, rho))
        groups = len(sheet.segments)
        return np.stack(
            [
                design_effect(((crowd[number], rho) for crowd, rho in found), groups)
                for number in range(len(windows))
            ]
        )

    async def effects_by_day(
        self,
        connection: asyncpg.Connection,
        question: Question,
        windows: Sequence[Window],
        sheet: Sheet,
    ) -> Floats:
        """The same for clusters by day only, for many windows of the groups of one page."""
        only = replace(self.alike, kinds=tuple(kind for kind in self.alike.kinds if kind == DAY))
        return await replace(self, alike=only).effects(connection, question, windows, sheet)

    async def _by_day(
        self,
        connection: asyncpg.Connection,
        question: Question,
        windows: Sequence[Window],
        sheet: Sheet,
        sizes: Ints,
    ) -> Floats:
        """Counted where groups are few; where they are many expected of groups of this size.

        That is with their answers spread over the days like those of all groups.
        """
        days = [await self._days(connection, question, window) for window in windows]
        if max(map(len, days)) == 1:
            return sizes.astype(float)
        flat = [day for pieces in days for day in pieces]
        lengths = np.array([max(1, round((day.end - day.start) / _DAY)) for day in flat])[:, None]
        starts = np.cumsum([0, *map(len, days[:-1])])
        if len(flat) * len(sheet.segments) <= _CELLS_AT_MOST:
            only = sheet.segments if question.by else None
            daily = await self.reader.groups(connection, question, flat, only=only)
            n = _aligned(daily, sheet, len(flat))
            shared = np.add.reduceat(n * (n - 1) / lengths, starts, axis=0)
            counted: Floats = 1 + shared / np.maximum(sizes, 1)
            return counted
        whole = await self.reader.groups(connection, replace(question, by=()), flat)
        n = whole.tallies_over_time(len(flat)).n[:, 0]
        pairs = np.add.reduceat(n * (n - 1) / lengths[:, 0], starts)
        total = np.add.reduceat(n, starts)
        likely = pairs / np.maximum(total * (total - 1), 1)
        found: Floats = 1 + np.maximum(sizes - 1, 0) * likely[:, None]
        return found

    async def _days(
        self, connection: asyncpg.Connection, question: Question, window: Window
    ) -> list[Window]:
        """Of a window of thousands of days only the time in which anybody answered is cut."""
        if question.on_event or window.end - window.start <= BUCKETS_AT_MOST * _DAY:
            return days_of(window, self.zone)
        days = [_EPOCH + day * _DAY for day in await answered_by_day(connection, question.metric)]
        among = [day for day in days if window.start - _DAY < day < window.end]
        if not among:
            return [window]
        first, after = max(window.start, min(among)), min(window.end, max(among) + _DAY)
        ends = Window(window.start, first), Window(after, window.end)
        before, behind = ([one] if one.start < one.end else [] for one in ends)
        return [*before, *days_of(Window(first, after), self.zone), *behind]

    async def _by(
        self,
        connection: asyncpg.Connection,
        question: Question,
        windows: Sequence[Window],
        sheet: Sheet,
        kind: str,
    ) -> Floats:
        finer = replace(question, by=(*question.by, kind))
        parts = await self.reader.groups(connection, finer, windows)
        return await asyncio.to_thread(_crowds, parts, sheet, len(windows))


async def answered_by_day(connection: asyncpg.Connection, metric: str) -> dict[int, int]:
    """How many answers the metric has on each day since 1970, UTC."""
    return {row[0]: row[1] for row in await connection.fetch(_ANSWERED, metric) if row[1]}


def days_of(window: Window, zone: ZoneInfo) -> list[Window]:
    """The window's days, from a whole hour on; weeks or months where it has thousands.

    Answers of a week or month are then taken to be spread over its days.
    """
    for bucket in ("1d", "1w", "1mo"):
        with suppress(TooManyBuckets):
            edges = [one.start for one in buckets_of(window, bucket, zone)[1:]]
            whole = [edge.replace(minute=0, second=0, microsecond=0) for edge in edges]
            inner = [edge for edge in whole if edge > window.start]
            cuts = pairwise((window.start, *inner, window.end))
            return [Window(start, end) for start, end in cuts]
    return [window]


def _aligned(daily: Sheet, sheet: Sheet, days: int) -> Ints:
    """The sizes by day in the order of the sheet's groups."""
    places = {segment: place for place, segment in enumerate(sheet.segments)}
    n = np.zeros((days, len(sheet.segments)), np.int64)
    n[:, [places[one] for one in daily.segments]] = daily.tallies_over_time(days).n
    return n


def _crowds(parts: Sheet, sheet: Sheet, windows: int) -> Floats:
    """How the sheet's groups crowd into the parts that they have."""
    places = {segment: place for place, segment in enumerate(sheet.segments)}
    group = np.array([places.get(one[:-1], -1) for one in parts.segments], np.int64)
    kept = group >= 0
    found = []
    for number in range(windows):
        n, sizes = parts.n(number)[kept], sheet.n(number)
        squares = np.bincount(group[kept], n * n, len(sizes))
        alone = sizes - np.bincount(group[kept], n, len(sizes))  # without a value
        found.append(_crowd(squares + alone, sizes))
    return np.stack(found)


def _crowd(squares: Floats | Ints, sizes: Ints) -> Floats:
    found: Floats = np.where(sizes > 0, squares / np.maximum(sizes, 1), 1.0)
    return found
