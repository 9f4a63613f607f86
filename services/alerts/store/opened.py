"""What a line's open minutes hold: all of it, then at each look only what has changed.

At 2,000 answers a second in 20,000 streams a look would else read some 100,000 rows, of which 3,000
are new.
"""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain.answers import Line
from services.alerts.domain.streams import LeafTick

# Bounded on both sides: of a lower bound alone the planner thinks that it leaves a third of all.
_OPENED: Final = """
    FROM ticks t WHERE t.metric = :metric AND t.survey = :survey
        AND t.minute > :first AND t.minute <= 2147483647
"""
_OPEN: Final = sa.text(f"SELECT leaf, answers, detractors, cluster {_OPENED} AND answers > 0")
# A row as old as a transaction that had ended when we last looked was there then. What leaves hold
# in all open minutes is wanted: the few that have changed are summed anew. Without "IS TRUE" the
# planner, to whom open minutes are empty, would join them in a loop within a loop.
_MOMENT: Final = sa.text("SELECT CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text)")
_CHANGED: Final = sa.text(f"""
    WITH changed AS MATERIALIZED (
        SELECT DISTINCT leaf, cluster {_OPENED}
            AND age(t.xmin) <= age(CAST(CAST(:since AS text) AS xid))
    )
    SELECT leaf, coalesce(sum(answers) FILTER (WHERE answers > 0), 0),
        coalesce(sum(detractors) FILTER (WHERE answers > 0), 0), cluster
    {_OPENED} AND ((leaf, cluster) IN (SELECT * FROM changed)) IS TRUE GROUP BY leaf, cluster
""")  # noqa: S608
_XID: Final = 1 << 32  # a row knows as much of its transaction's id


async def read_moment(connection: AsyncConnection) -> str:
    """A moment of the database for `read_changed`; asked for before what is open is read."""
    moment: str = (await connection.execute(_MOMENT)).scalar_one()
    return str(int(moment) % _XID)


async def read_changed(
    connection: AsyncConnection, line: Line, closed_to: int, since: str
) -> list[LeafTick]:
    """What those leaves hold in the open minutes that have changed since a moment.

    All that have, and maybe some that have not; nothing of what was taken away, but its leaf.
    """
    values = {**line._asdict(), "first": closed_to, "since": since}
    return [LeafTick(*row) for row in await connection.execute(_CHANGED, values)]


async def read_open(connection: AsyncConnection, line: Line, closed_to: int) -> list[LeafTick]:
    """What the open minutes hold, as one."""
    found: dict[tuple[str, str], LeafTick] = {}  # PostgreSQL would sort them to sum them
    for row in await connection.execute(_OPEN, {**line._asdict(), "first": closed_to}):
        tick = LeafTick(*row)
        place = tick.leaf, tick.cluster
        if (known := found.get(place)) is not None:
            answers, detractors = known.answers + tick.answers, known.detractors + tick.detractors
            tick = known._replace(answers=answers, detractors=detractors)
        found[place] = tick
    return list(found.values())
