"""What is counted for targets: askings as they are booked, and a pair that is new from its past.

The counts' tables are locked while a pair begins. Whoever counts does so in the statement that
stores, or after it in the same transaction: what was stored is found, or counted later, never both.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.trigger.domain.precision import Pair
from services.trigger.store.answers import add_sides, value_in
from shared.columns import columns, unnested

_CHUNK: Final = 20_000
_PAIR: Final = {"survey": "text", "dimension": "text"}
_NEW: Final = text(
    f"SELECT r.survey, r.dimension FROM {unnested(_PAIR)}"  # noqa: S608
    " WHERE NOT EXISTS (SELECT FROM counted c"
    " WHERE c.survey = r.survey AND c.dimension = r.dimension) ORDER BY 1, 2"
)
_LOCK: Final = text("LOCK TABLE answer_counts, ask_counts IN SHARE ROW EXCLUSIVE MODE")
_BEGIN: Final = text(
    f"INSERT INTO counted SELECT r.survey, r.dimension FROM {unnested(_PAIR)}"  # noqa: S608
)
_SIDES: Final = """sides AS (
    SELECT survey, klass, score, segments, answered_at, invitation_id, 1 AS sign
    FROM answers WHERE id > :after AND id <= :upto
)"""
_ASKS: Final = (
    "SELECT survey, segments, created_at, reminder_of FROM invitations"
    " WHERE id > :after AND id <= :upto"
)


def _add_asks(asks: str, pairs: str) -> str:
    return f"""
        WITH asks AS ({asks}), valued AS (
            SELECT c.survey, c.dimension, {value_in("a.segments")} AS value,
                (a.created_at AT TIME ZONE 'UTC')::date AS day
            FROM asks a JOIN {pairs} ON c.survey = a.survey
            WHERE a.reminder_of IS NULL
        )
        INSERT INTO ask_counts AS k (survey, dimension, value, day, asked)
        SELECT survey, dimension, value, day, count(*) FROM valued WHERE value IS NOT NULL
        GROUP BY survey, dimension, value, day ORDER BY survey, dimension, value, day
        ON CONFLICT (survey, dimension, value, day) DO UPDATE SET asked = k.asked + excluded.asked
    """  # noqa: S608


_PAST: Final = {
    "answers": text(add_sides(_SIDES, unnested(_PAIR, "c"))),
    "invitations": text(_add_asks(_ASKS, unnested(_PAIR, "c"))),
}


def counting_asks(insert: TextClause) -> TextClause:
    """An INSERT INTO invitations that counts what it inserted, in the same statement."""
    return text(
        _add_asks(f"{insert.text} RETURNING survey, segments, created_at, reminder_of", "counted c")
    )


async def begin_counting(engine: AsyncEngine, pairs: Sequence[Pair]) -> None:
    """Count these pairs from now on, by all replicas; what lies in the past is counted here.

    Answers and invitations that are stored meanwhile wait, where any target is new.
    """
    if not pairs:
        return
    async with engine.begin() as connection:
        if not await _new(connection, pairs):
            return
        await connection.execute(_LOCK)
        new = await _new(connection, pairs)
        if not new:
            return
        await connection.execute(_BEGIN, columns(_PAIR, new))
        for table in _PAST:
            await _count_past(connection, table, new)


async def _new(connection: AsyncConnection, pairs: Sequence[Pair]) -> list[Pair]:
    rows = await connection.execute(_NEW, columns(_PAIR, pairs))
    return [(survey, dimension) for survey, dimension in rows]


async def _count_past(connection: AsyncConnection, table: str, pairs: Sequence[Pair]) -> None:
    """In chunks, for a statement must end in time."""
    last = text(
        f"SELECT max(id) FROM (SELECT id FROM {table} WHERE id > :after"  # noqa: S608
        f" ORDER BY id LIMIT {_CHUNK}) t"
    )
    after = ""
    while (upto := (await connection.execute(last, {"after": after})).scalar()) is not None:
        bounds = {"after": after, "upto": upto}
        await connection.execute(_PAST[table], {**columns(_PAIR, pairs), **bounds})
        after = upto
