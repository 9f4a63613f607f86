"""What the classes of each group say, in one statement over the answers themselves.

Answers that say the same are counted together before their reasons are taken apart, and come back
as one bit a reason: texts that explode cost time in PostgreSQL, never memory here.
"""

from collections.abc import Sequence

import asyncpg

from services.scoring.domain.cells import VALUES_AT_MOST
from services.scoring.domain.questions import Question, Segment
from services.scoring.domain.voices import SHOWN, Group, Voices
from services.scoring.domain.windows import Window
from services.scoring.store.slices import Arguments, by_columns, dimension_columns, filters
from services.scoring.store.values import full_among
from shared.programme.metrics import METRICS, Klass

_CLASSES = (Klass.DETRACTOR, Klass.PASSIVE, Klass.PROMOTER)  # as `_class_of` numbers them

# The most frequent reasons of a segment are its bits, from 0; the rest share bit `SHOWN`.
_VOICES = f"""
    WITH said AS MATERIALIZED (
        SELECT row_number() OVER () AS number, * FROM (
            SELECT ARRAY[{{by}}]::text[] AS segment, klass, reasons, count(*) AS n
            FROM ({{inner}}) AS i WHERE {{where}} GROUP BY segment, klass, reasons) AS s
    ), named AS MATERIALIZED (
        SELECT number, segment, n, reason FROM said CROSS JOIN LATERAL (
            SELECT DISTINCT reason FROM jsonb_array_elements_text(reasons) AS reason) AS r
    ), ranked AS MATERIALIZED (
        SELECT segment, reason, (least(row_number() OVER (PARTITION BY segment
            ORDER BY sum(n) DESC, reason COLLATE "C"), {SHOWN + 1}) - 1)::int AS bit
        FROM named GROUP BY segment, reason
    ), told AS (
        SELECT number, bit_or(1::bigint << bit) AS mask
        FROM named JOIN ranked USING (segment, reason) GROUP BY number
    ), spoken AS (
        SELECT segment, klass, coalesce(mask, 0) AS mask, sum(n)::bigint AS n
        FROM said LEFT JOIN told USING (number) GROUP BY 1, 2, 3
    ), names AS (
        SELECT segment, array_agg(reason ORDER BY bit) FILTER (WHERE bit < {SHOWN}) AS reasons,
            count(*) FILTER (WHERE bit = {SHOWN}) AS unnamed
        FROM ranked GROUP BY segment
    )
    SELECT segment, klass, array_agg(mask), array_agg(n),
        coalesce(min(names.reasons), '{{{{}}}}'), coalesce(min(unnamed), 0)
    FROM spoken LEFT JOIN names USING (segment) GROUP BY segment, klass
"""  # noqa: S608


async def read_reasons(
    connection: asyncpg.Connection,
    question: Question,
    window: Window,
    *,
    only: Sequence[Segment] | None = None,
    values_at_most: int = VALUES_AT_MOST,
) -> dict[Segment, Group]:
    """Every group that has an answer in the window, or only these; the caller holds a snapshot."""
    told = Arguments()
    full = await full_among(connection, question.dimensions, values_at_most)
    columns = [f"{_class_of(question.metric)} AS klass", "a.reasons"]
    columns += dimension_columns(question, told, "a.segments", full)
    inner = f"SELECT {', '.join(columns)} FROM scored a WHERE {_within(question, window, told)}"  # noqa: S608
    statement = _VOICES.format(
        by=", ".join(by_columns(question)),
        inner=inner,
        where=filters(question, told, only if question.by else None),
    )
    found: dict[Segment, Group] = {}
    for segment, klass, masks, counts, reasons, unnamed in await connection.fetch(
        statement, *told.values
    ):
        group = found.setdefault(tuple(segment), Group(tuple(reasons), unnamed, {}))
        group.classes[_CLASSES[klass]] = Voices(masks, counts)
    return found


def _within(question: Question, window: Window, told: Arguments) -> str:
    start, end = (told.add(at, "timestamptz") for at in (window.start, window.end))
    within = f"a.answered_at >= {start} AND a.answered_at < {end}"
    if question.on_event:
        within = (
            f"(a.asked_event_at >= {start} AND a.asked_event_at < {end}"
            f" OR a.asked_event_at IS NULL AND {within})"
        )
    within += f" AND a.metric = {told.add(question.metric)}"
    if question.survey is not None:
        within += f" AND a.survey = {told.add(question.survey)}"
    return within


def _class_of(metric: str) -> str:
    """The number of an answer's class."""
    cuts = " ".join(
        f"WHEN {entry.scale[1]} THEN (a.score > {entry.last_detractor})::int"
        f" + (a.score >= {entry.first_promoter})::int"
        for entry in METRICS
        if entry.name == metric
    )
    return f"CASE a.scale {cuts} END"
