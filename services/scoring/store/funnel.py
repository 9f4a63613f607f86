"""The table `funnel`: one upsert a batch, keys sorted; and funnels read from it.

Whole hours come from the running counts, ragged edges from the decisions and invitations. Rows are
added up in a thread: there are several a group.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

import asyncpg

from services.scoring.domain.answers import SENT
from services.scoring.domain.cells import VALUES_AT_MOST, Layout
from services.scoring.domain.funnel import ANSWERED, DELIVERED, Funnel, step_of
from services.scoring.domain.questions import Question, Segment
from services.scoring.domain.windows import Cuts, Window, cut
from services.scoring.store.layout import read_layout
from services.scoring.store.slices import (
    Arguments,
    at_edges,
    by_columns,
    dimension_columns,
    filters,
    grouped,
)
from services.scoring.store.values import full_among

_ADD: Final = (
    "INSERT INTO funnel AS f (series, hour, step, n)"
    " SELECT * FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::integer[])"
    " ON CONFLICT (series, hour, step) DO UPDATE SET n = f.n + excluded.n"
)
_COUNTED: Final = "SELECT funnel FROM layout"
_FORGET: Final = (
    "DELETE FROM funnel WHERE series IN"
    " (SELECT id FROM series WHERE metric = '' AND slice <> ALL($1::text[]))"
)
_NOW_COUNTED: Final = "UPDATE layout SET funnel = true"

Row = tuple[Segment, str, int]  # segment, step, n


async def add(connection: asyncpg.Connection, sums: Mapping[tuple[int, int, str], int]) -> None:
    """Add to the counts of (series, hour, step). Sorted, so batches never wait in a circle."""
    if not sums:
        return
    keys = sorted(sums)
    series, hours, steps = zip(*keys, strict=True)
    await connection.execute(_ADD, series, hours, steps, [sums[key] for key in keys])


async def is_counted(connection: asyncpg.Connection) -> bool:
    """Whether the funnel has all that is known."""
    return bool(await connection.fetchval(_COUNTED))


async def forget(
    connection: asyncpg.Connection, known: Layout, layout: Layout
) -> Mapping[str, tuple[int, ...]]:
    """Forget what the new layout does not count; return its slices that are to be counted anew.

    A slice that stays keeps its counts: they reach further back than the decisions themselves.
    """
    kept = set(known.slices) & set(layout.slices) if await is_counted(connection) else set()
    await connection.execute(_FORGET, sorted(kept))
    await connection.execute(_NOW_COUNTED)
    return {name: places for name, places in layout.slices.items() if name not in kept}


async def read_funnels(
    connection: asyncpg.Connection,
    question: Question,
    window: Window,
    *,
    values_at_most: int = VALUES_AT_MOST,
) -> dict[Segment, Funnel]:
    """The funnel of each group for the events of a window; the question's metric is not read.

    The caller holds one snapshot. Of a slice that has no running counts, and in the ragged hours,
    events are known for as long as decisions are kept.
    """
    counted = question.slice in (await read_layout(connection)).slices
    cuts = cut([window], whole_hours=counted)
    parts: list[Iterator[Row]] = []
    if cuts.hours and cuts.hours[0] < cuts.hours[-1]:
        parts.append(await _from_counts(connection, question, cuts))
    if cuts.edges:
        full = await full_among(connection, question.dimensions, values_at_most)
        parts.append(await _from_decisions(connection, question, cuts, full))
        parts.append(await _from_invitations(connection, question, cuts, full))
    return await asyncio.to_thread(_added, parts)


def _added(parts: Sequence[Iterator[Row]]) -> dict[Segment, Funnel]:
    found: dict[Segment, dict[str, int]] = {}
    for segment, step, n in chain.from_iterable(parts):
        steps = found.setdefault(segment, {})
        steps[step] = steps.get(step, 0) + n
    return {segment: Funnel(steps) for segment, steps in found.items()}


async def read_denominators(
    connection: asyncpg.Connection,
    question: Question,
    window: Window,
    *,
    values_at_most: int = VALUES_AT_MOST,
) -> dict[Segment, int]:
    """How many events of the window are eligible, by segment; none that has none."""
    found = await read_funnels(connection, question, window, values_at_most=values_at_most)
    return await asyncio.to_thread(_eligible, found)


def _eligible(found: Mapping[Segment, Funnel]) -> dict[Segment, int]:
    return {segment: n for segment, funnel in found.items() if (n := funnel.eligible)}


async def _from_counts(
    connection: asyncpg.Connection, question: Question, cuts: Cuts
) -> Iterator[Row]:
    told = Arguments()
    first, after = told.add(cuts.hours[0], "int"), told.add(cuts.hours[-1], "int")
    values = {name: f's."values"[{n}]' for n, name in enumerate(question.dimensions, 1)}
    wanted = [f"s.slice = {told.add(question.slice)}", "s.metric = ''"]
    if question.survey is not None:
        wanted.append(f"s.survey = {told.add(question.survey)}")
    wanted += [f"{values[name]} = {told.add(value)}" for name, value in question.where]
    keys = ", ".join(["c.step", *(values[name] for name in question.by)])
    found = await connection.fetch(
        f"SELECT sum(c.n)::bigint, {keys}"  # noqa: S608
        " FROM (SELECT series, step, sum(n)::bigint AS n FROM funnel"
        f" WHERE series IN (SELECT id FROM series s WHERE {' AND '.join(wanted)})"
        f" AND hour >= {first} AND hour < {after} GROUP BY 1, 2) AS c"
        f" JOIN series s ON s.id = c.series GROUP BY {keys} HAVING sum(c.n) <> 0",
        *told.values,
    )
    return (_row(n, step, segment) for n, step, *segment in found)


async def _from_decisions(
    connection: asyncpg.Connection, question: Question, cuts: Cuts, full: set[str]
) -> Iterator[Row]:
    told = Arguments()
    columns = ["a.stage", "a.reason", *dimension_columns(question, told, "a.segments", full)]
    within = "a.event_time >= e.start AND a.event_time < e.finish"
    inner = (
        f"SELECT {', '.join(columns)} FROM {at_edges(cuts, told, 'decisions', within)}"  # noqa: S608
        " WHERE true"
    )
    if question.survey is not None:
        inner += f" AND a.survey = {told.add(question.survey)}"
    keys = ["stage", "reason", *by_columns(question)]
    found = await grouped(connection, told, inner, keys, "count(*)", filters(question, told))
    return (_row(n, step_of(stage, reason), segment) for stage, reason, *segment, n in found)


async def _from_invitations(
    connection: asyncpg.Connection, question: Question, cuts: Cuts, full: set[str]
) -> Iterator[Row]:
    told = Arguments()
    columns = ["a.answered_at", *dimension_columns(question, told, "a.asked_segments", full)]
    within = "a.event_at >= e.start AND a.event_at < e.finish"
    inner = (
        f"SELECT {', '.join(columns)} FROM {at_edges(cuts, told, 'answers', within)}"  # noqa: S608
        f" WHERE a.status = '{SENT}'"
    )
    if question.survey is not None:
        inner += f" AND a.asked_survey = {told.add(question.survey)}"
    keys = ["answered_at IS NOT NULL", *by_columns(question)]
    found = await grouped(connection, told, inner, keys, "count(*)", filters(question, told))
    return (
        _row(n, step, segment)
        for answered, *segment, n in found
        for step in ((DELIVERED, ANSWERED) if answered else (DELIVERED,))
    )


def _row(n: int, step: str, segment: list[Any]) -> Row:
    return tuple(segment), step, n
