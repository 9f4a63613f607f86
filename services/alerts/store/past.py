"""What was counted, for those who ask what is behind a rise."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain.answers import Line
from services.alerts.domain.causes import Remark
from services.alerts.domain.onset import Bin
from services.alerts.domain.streams import LeafTick

_TICKS: Final = """
    SELECT minute, leaf, answers, detractors FROM ticks
    WHERE metric = :metric AND survey = :survey AND minute BETWEEN :first AND :last
    ORDER BY minute DESC LIMIT :read_at_most
"""
_LEAVES: Final = sa.text(f"""
    SELECT leaf, sum(answers) AS answers, sum(detractors) AS detractors FROM ({_TICKS}) AS lately
    GROUP BY leaf HAVING sum(answers) > 0 ORDER BY leaf
""")  # noqa: S608
_SERIES: Final = sa.text(f"""
    SELECT CAST(:first AS int) + (minute - :first) / :width * :width AS begins,
        sum(answers) AS answers, sum(detractors) AS detractors
    FROM ({_TICKS}) AS lately WHERE CAST(leaf AS jsonb) @> CAST(:segment AS jsonb)
    GROUP BY begins HAVING sum(answers) > 0 ORDER BY begins
""")  # noqa: S608
_REMARKS: Final = sa.text("""
    SELECT reasons, comment FROM (
        SELECT * FROM remarks
        WHERE metric = :metric AND survey = :survey AND minute BETWEEN :first AND :last
        ORDER BY minute DESC LIMIT :read_at_most
    ) AS lately WHERE leaf @> CAST(:segment AS jsonb) ORDER BY minute DESC, id LIMIT :most
""")
# So many leaves are thought about for seconds; the judge's own 10 s would end it, again and again.
_MANY: Final = 50_000
_THINK: Final = sa.text("SET LOCAL idle_in_transaction_session_timeout = '60s'")
# A small segment of a busy line: what takes longer than a statement may would stop the judge.
_READ_AT_MOST: Final = 200_000
_TICKS_AT_MOST: Final = 1_000_000


class SqlPast:
    """The counted answers of a line, as one transaction sees them. Minutes are inclusive."""

    def __init__(self, connection: AsyncConnection, line: Line) -> None:
        self._connection = connection
        self._line = line._asdict()

    async def leaves(self, first: int, last: int) -> Sequence[LeafTick]:
        """The leaves, summed over the minutes; of a very busy line the newest minutes."""
        values = {"first": first, "last": last, **self._line, "read_at_most": _TICKS_AT_MOST}
        leaves = [LeafTick(*row) for row in await self._connection.execute(_LEAVES, values)]
        if len(leaves) > _MANY:
            await self._connection.execute(_THINK)
        return leaves

    async def series(self, segment: str, first: int, last: int, width: int) -> Sequence[Bin]:
        """A segment's answers in bins of `width` minutes, the oldest first, empty ones left out."""
        values: dict[str, Any] = {"first": first, "last": last, "width": width, **self._line}
        values |= {"segment": segment, "read_at_most": _READ_AT_MOST}
        rows = await self._connection.execute(_SERIES, values)
        return [Bin(*row) for row in rows]

    async def remarks(self, segment: str, first: int, last: int, most: int) -> Sequence[Remark]:
        """What detractors of a segment said, newest first."""
        values: dict[str, Any] = {"first": first, "last": last, "most": most, **self._line}
        values |= {"segment": segment, "read_at_most": _READ_AT_MOST}
        rows = await self._connection.execute(_REMARKS, values)
        return [Remark(tuple(row.reasons), row.comment) for row in rows]
