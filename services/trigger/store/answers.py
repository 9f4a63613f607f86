"""Answers and their running counts: one statement a batch, exactly once with its transaction.

What is counted stands in `counted`: pairs of a survey and a dimension ("": all of the survey).
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.columns import columns, unnested
from shared.events import ScoredResponse

_ANSWER: Final = {
    "id": "text",
    "version": "text",
    "invitation_id": "text",
    "survey": "text",
    "klass": "text",
    "score": "smallint",
    "segments": "text",
    "answered_at": "timestamptz",
}
_NAMES: Final = ", ".join(_ANSWER)
_CHANGES: Final = ", ".join(f"{name} = excluded.{name}" for name in _ANSWER if name != "id")
_SIDE: Final = ("survey", "klass", "score", "segments", "answered_at", "invitation_id")
SUMS: Final = ("promoters", "passives", "detractors", "total", "squares", "answered", "late")


def value_in(segments: str) -> str:
    """The value of `counted c`'s dimension, NULL where there is none."""
    return f"CASE WHEN c.dimension = '' THEN '' ELSE nullif({segments} ->> c.dimension, '') END"


def add_sides(sides: str, pairs: str) -> str:
    """INSERT of what the CTE `sides` adds to the counts: columns of `answers`, and a sign.

    An answer counts on its own day, and once more, with the seconds that it took, on that of its
    invitation, if that is known.
    Keys are sorted, so that two batches never wait for one another in a circle.
    """
    counted = ", ".join(f"sum({name}) AS {name}" for name in SUMS)
    changed = " OR ".join(f"sum({name}) <> 0" for name in SUMS)
    added = ", ".join(f"{name} = k.{name} + excluded.{name}" for name in SUMS)
    names = ", ".join(SUMS)
    return f"""
        WITH {sides}, parts AS (
            SELECT survey, segments, (answered_at AT TIME ZONE 'UTC')::date AS day,
                sign * (klass = 'promoter')::int AS promoters,
                sign * (klass = 'passive')::int AS passives,
                sign * (klass = 'detractor')::int AS detractors,
                sign * score AS total, sign * score * score AS squares,
                0 AS answered, 0 AS late
            FROM sides
            UNION ALL
            SELECT i.survey, i.segments, (i.created_at AT TIME ZONE 'UTC')::date,
                0, 0, 0, 0, 0, s.sign,
                s.sign * greatest(extract(epoch FROM s.answered_at - i.created_at), 0)::bigint
            FROM sides s JOIN invitations i ON i.id = s.invitation_id
        ), valued AS (
            SELECT c.survey, c.dimension, {value_in("p.segments")} AS value, p.day, {names}
            FROM parts p JOIN {pairs} ON c.survey = p.survey
        )
        INSERT INTO answer_counts AS k (survey, dimension, value, day, {names})
        SELECT survey, dimension, value, day, {counted}
        FROM valued WHERE value IS NOT NULL
        GROUP BY survey, dimension, value, day HAVING {changed}
        ORDER BY survey, dimension, value, day
        ON CONFLICT (survey, dimension, value, day) DO UPDATE SET {added}
    """  # noqa: S608


_OLD: Final = ", ".join(f"old.{name} AS was_{name}" for name in _SIDE)
_NEW: Final = ", ".join(f"new.{name}" for name in _SIDE)
_WAS: Final = ", ".join(f"was_{name}" for name in _SIDE)
_KEEP: Final = text(
    add_sides(
        f"""changed AS (
            INSERT INTO answers AS a ({_NAMES})
            SELECT {_NAMES.replace("segments", "segments::jsonb")}
            FROM {unnested(_ANSWER)} ORDER BY id COLLATE "C"
            ON CONFLICT (id) DO UPDATE SET {_CHANGES} WHERE excluded.version > a.version
            RETURNING {_OLD}, {_NEW}
        ), sides AS (
            SELECT {", ".join(_SIDE)}, 1 AS sign FROM changed
            UNION ALL
            SELECT {_WAS}, -1 FROM changed WHERE was_survey IS NOT NULL
        )""",  # noqa: S608
        "counted c",
    )
)


class SqlAnswers:
    """`handlers.AnswerBook` on one connection; the caller's transaction is the unit."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def keep(self, answers: Sequence[ScoredResponse]) -> None:
        rows = [_row(answer) for answer in answers]
        await self._connection.execute(_KEEP, columns(_ANSWER, rows))


def _row(answer: ScoredResponse) -> tuple[object, ...]:
    said = (answer.klass, answer.score, msgspec.json.encode(answer.segments).decode())
    named = (answer.id, answer.version, answer.invitation_id, answer.survey)
    return (*named, *said, answer.answered_at)
