"""Questions answered: whole hours from the running counts, ragged edges from the answers.

All statements of one question share one snapshot, so the parts fit together to the last answer.
Rows are added up in a thread: there may be as many as there are groups.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence

import asyncpg

from services.scoring.domain.answers import LOWEST, SENT
from services.scoring.domain.cells import ANSWERED, INVITED, POINTS, VALUES_AT_MOST, WIDTH
from services.scoring.domain.questions import Question, Row, Segment
from services.scoring.domain.sheets import Sheet, Tabulation
from services.scoring.domain.windows import Window, cut
from services.scoring.store.layout import read_layout
from services.scoring.store.slices import (
    Arguments,
    Asked,
    among,
    at_edges,
    by_columns,
    dimension_columns,
    filters,
    grouped,
)
from services.scoring.store.values import full_among
from services.scoring.tables import SUMS

_SUMMED = ", ".join(f"sum({name})::bigint AS {name}" for name in SUMS)


async def read_groups(
    connection: asyncpg.Connection,
    question: Question,
    windows: Sequence[Window],
    *,
    only: Sequence[Segment] | None = None,
    values_at_most: int = VALUES_AT_MOST,
) -> Sheet:
    """All groups, or only these; the caller holds one snapshot. The windows adjoin and rise."""
    counted = not question.on_event and question.slice in (await read_layout(connection)).slices
    cuts = cut(windows, whole_hours=counted)
    asked = Asked(question, cuts, only if question.by else None)
    parts: list[Iterator[Row]] = []
    if cuts.hours and cuts.hours[0] < cuts.hours[-1]:
        parts.append(await _from_counts(connection, asked))
    if cuts.edges:
        full = await full_among(connection, question.dimensions, values_at_most)
        parts.append(await _from_answers(connection, asked, full))
        parts.append(await _from_invitations(connection, asked, full))
    return await asyncio.to_thread(_tabulate, question, len(windows), parts)


def _tabulate(question: Question, windows: int, parts: Sequence[Iterator[Row]]) -> Sheet:
    table = Tabulation(question, windows)
    for rows in parts:
        table.add_rows(rows)
    return table.sheet()


async def _from_counts(connection: asyncpg.Connection, asked: Asked) -> Iterator[Row]:
    """Sums by series, which get their names last: names beside each hour take twice the time."""
    told, question, cuts = Arguments(), asked.question, asked.cuts
    place = f"width_bucket(hour, {told.add(cuts.hours, 'int[]')})"
    first, after = told.add(cuts.hours[0], "int"), told.add(cuts.hours[-1], "int")
    values = {name: f's."values"[{n}]' for n, name in enumerate(question.dimensions, 1)}
    wanted = [f"s.slice = {told.add(question.slice)}", f"s.metric = {told.add(question.metric)}"]
    if question.survey is not None:
        wanted.append(f"s.survey = {told.add(question.survey)}")
    wanted += [f"{values[name]} = {told.add(value)}" for name, value in question.where]
    wanted += among([values[name] for name in question.by], asked.only, told)
    found = await connection.fetch(
        f"SELECT {', '.join(['place', 's.scale', *(values[name] for name in question.by)])}, c.*"  # noqa: S608
        f" FROM (SELECT series, {place} AS place, {_SUMMED} FROM counts"
        f" WHERE series IN (SELECT id FROM series s WHERE {' AND '.join(wanted)})"
        f" AND hour >= {first} AND hour < {after} GROUP BY 1, 2) AS c"
        " JOIN series s ON s.id = c.series",
        *told.values,
    )
    width = 2 + len(question.by)
    # an even place is the hour between two windows: its edges come from the answers
    return (
        (row[0] // 2, tuple(row[2:width]), row[1], row[width + 2 :]) for row in found if row[0] % 2
    )


async def _from_answers(
    connection: asyncpg.Connection, asked: Asked, full: set[str]
) -> Iterator[Row]:
    told, question, cuts = Arguments(), asked.question, asked.cuts
    metric = f"a.metric = {told.add(question.metric)}"
    within = "a.answered_at >= e.start AND a.answered_at < e.finish"
    if question.on_event:
        within = (
            "a.asked_event_at >= e.start AND a.asked_event_at < e.finish"
            f" OR a.asked_event_at IS NULL AND {within}"
        )
    columns = ["e.number", "a.scale", "a.score"]
    columns += dimension_columns(question, told, "a.segments", full)
    inner = (
        f"SELECT {', '.join(columns)}"  # noqa: S608
        f" FROM {at_edges(cuts, told, 'scored', f'{metric} AND ({within})')} WHERE true"
    )
    if question.survey is not None:
        inner += f" AND a.survey = {told.add(question.survey)}"
    keys = ["number", "scale", *by_columns(question)]
    lowest = LOWEST[question.metric]
    # a column a point: a row a point would be ten times the rows
    counted = (f"count(*) FILTER (WHERE score = {lowest + place})" for place in range(POINTS))
    found = await grouped(
        connection, told, inner, keys, ", ".join(counted), filters(question, told, asked.only)
    )
    width = len(keys)
    return (
        (row[0], tuple(row[2:width]), row[1], (*row[width:], 0, 0))  # none of them is INVITED
        for row in found
    )


async def _from_invitations(
    connection: asyncpg.Connection, asked: Asked, full: set[str]
) -> Iterator[Row]:
    told, question, cuts = Arguments(), asked.question, asked.cuts
    at = "a.event_at" if question.on_event else "a.invited_at"
    columns = ["e.number", "a.asked_scale AS scale", "a.answered_at"]
    columns += dimension_columns(question, told, "a.asked_segments", full)
    inner = (
        f"SELECT {', '.join(columns)}"  # noqa: S608
        f" FROM {at_edges(cuts, told, 'answers', f'{at} >= e.start AND {at} < e.finish')}"
        f" WHERE a.status = '{SENT}' AND a.asked_metric = {told.add(question.metric)}"
    )
    if question.survey is not None:
        inner += f" AND a.asked_survey = {told.add(question.survey)}"
    keys = ["number", "scale", *by_columns(question)]
    counted = "count(*), count(answered_at)"
    found = await grouped(
        connection, told, inner, keys, counted, filters(question, told, asked.only)
    )
    return (
        (number, tuple(segment), scale, _sums({INVITED: invited, ANSWERED: answered}))
        for number, scale, *segment, invited, answered in found
    )


def _sums(filled: Mapping[int, int]) -> list[int]:
    return [filled.get(column, 0) for column in range(WIDTH)]
