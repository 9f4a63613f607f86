"""What the classes of each group say, in one statement over the answers themselves.

Answers that say the same are counted together before their reasons are taken apart, and come back
as one bit a reason: texts that explode cost time in PostgreSQL, never memory here.
"""

from collections.abc import Mapping, Sequence

import asyncpg

from services.scoring.domain.cells import VALUES_AT_MOST
from services.scoring.domain.questions import Question, Segment
from services.scoring.domain.voices import SHOWN, Group, Voices
from services.scoring.domain.windows import Window
from services.scoring.store.slices import Arguments, by_columns, dimension_columns, filters
from services.scoring.store.values import full_among
from shared.programme.metrics import METRICS, Klass, Scale

_CLASSES = (Klass.DETRACTOR, Klass.PASSIVE, Klass.PROMOTER)

# Group, above the detractors, among the promoters. A place, booleans, and a left join that keeps
# every answer: by these the planner sees that the kinds are few, and counts them where it reads.
_KEYS = "place, above, top, reasons"
# The most frequent reasons of a group are its bits, from 0; the rest share bit `SHOWN`.
_VOICES = f"""
    WITH counted AS MATERIALIZED (
        SELECT {_KEYS}, count(*) AS n FROM {{answers}} GROUP BY {_KEYS}
    ), kinds AS MATERIALIZED (
        SELECT row_number() OVER () AS kind, reasons
        FROM counted WHERE place IS NOT NULL GROUP BY reasons
    ), said AS MATERIALIZED (
        SELECT place, above::int + top::int AS klass, kind, n
        FROM counted JOIN kinds USING (reasons) WHERE place IS NOT NULL
    ), taken AS MATERIALIZED (
        SELECT kind, reason FROM kinds CROSS JOIN LATERAL (
            SELECT DISTINCT reason FROM jsonb_array_elements_text(reasons) AS reason) AS r
    ), words AS MATERIALIZED (
        SELECT row_number() OVER (ORDER BY reason COLLATE "C") AS word, reason
        FROM taken GROUP BY reason
    ), parts AS MATERIALIZED (
        SELECT kind, word FROM taken JOIN words USING (reason)
    ), ranked AS MATERIALIZED (
        SELECT place, word, (least(row_number() OVER (PARTITION BY place
            ORDER BY sum(n) DESC, word), {SHOWN + 1}) - 1)::int AS bit
        FROM said JOIN parts USING (kind) GROUP BY place, word
    ), told AS (
        SELECT place, kind, bit_or(1::bigint << bit) AS mask
        FROM (SELECT DISTINCT place, kind FROM said) AS s
        JOIN parts USING (kind) JOIN ranked USING (place, word) GROUP BY place, kind
    ), spoken AS (
        SELECT place, klass, coalesce(mask, 0) AS mask, sum(n)::bigint AS n
        FROM said LEFT JOIN told USING (place, kind) GROUP BY 1, 2, 3
    ), names AS (
        SELECT place, array_agg(reason ORDER BY bit) FILTER (WHERE bit < {SHOWN}) AS reasons,
            count(*) FILTER (WHERE bit = {SHOWN}) AS unnamed
        FROM ranked JOIN words USING (word) GROUP BY place
    )
    SELECT place, klass, array_agg(mask), array_agg(n),
        coalesce(min(names.reasons), '{{{{}}}}'), coalesce(min(unnamed), 0)
    FROM spoken LEFT JOIN names USING (place) GROUP BY place, klass
"""  # noqa: S608


async def read_reasons(
    connection: asyncpg.Connection,
    question: Question,
    window: Window,
    segments: Sequence[Segment],
    *,
    values_at_most: int = VALUES_AT_MOST,
) -> dict[Segment, Group]:
    """Those of the groups that have an answer in the window; the caller holds a snapshot."""
    if not segments:
        return {}
    full = await full_among(connection, question.dimensions, values_at_most)
    told = Arguments()
    statement = _VOICES.format(answers=_answers(question, window, segments, told, full))
    found: dict[Segment, Group] = {}
    for place, klass, masks, counts, reasons, unnamed in await connection.fetch(
        statement, *told.values
    ):
        group = found.setdefault(segments[place - 1], Group(tuple(reasons), unnamed))
        group.classes[_CLASSES[klass]] = Voices(masks, counts)
    return found


def _answers(
    question: Question,
    window: Window,
    segments: Sequence[Segment],
    told: Arguments,
    full: set[str],
) -> str:
    """The answers, each with the place of its group from 1; NULL where it is in none of them."""
    entries = [entry for entry in METRICS if entry.name == question.metric]
    above = _since({entry.scale: entry.last_detractor + 1 for entry in entries})
    top = _since({entry.scale: entry.first_promoter for entry in entries})
    columns = [f"{above} AS above", f"{top} AS top", "a.reasons"]
    columns += dimension_columns(question, told, "a.segments", full)
    inner = f"SELECT {', '.join(columns)} FROM scored a WHERE {_within(question, window, told)}"  # noqa: S608
    inner = f"SELECT * FROM ({inner}) AS i WHERE {filters(question, told)}"  # noqa: S608
    if not question.by:
        return f"(SELECT 1 AS place, i.* FROM ({inner}) AS i) AS a"  # noqa: S608
    arrays = [told.add(values, "text[]") for values in zip(*segments, strict=True)]
    names = ", ".join(f"w{place}" for place in range(len(arrays)))
    wanted = f"unnest({', '.join(arrays)}) WITH ORDINALITY AS w({names}, place)"
    return f"({inner}) AS a LEFT JOIN {wanted} ON ({', '.join(by_columns(question))}) = ({names})"


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


def _since(firsts: Mapping[Scale, int]) -> str:
    """Whether the score is at least the one that is named for its scale."""
    cases = (f"WHEN {scale[1]} THEN a.score >= {first}" for scale, first in firsts.items())
    return f"CASE a.scale {' '.join(cases)} END"
