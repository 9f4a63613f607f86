"""What was counted, for those who ask what is behind a rise."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain.answers import Line
from services.alerts.domain.causes import Remark
from services.alerts.domain.streams import LeafTick

_LEAVES: Final = sa.text("""
    SELECT leaf, sum(answers) AS answers, sum(detractors) AS detractors FROM ticks
    WHERE metric = :metric AND survey = :survey AND minute BETWEEN :first AND :last
    GROUP BY leaf HAVING sum(answers) > 0 ORDER BY leaf
""")
_REMARKS: Final = sa.text("""
    SELECT reasons, comment FROM (
        SELECT * FROM remarks
        WHERE metric = :metric AND survey = :survey AND minute BETWEEN :first AND :last
        ORDER BY minute DESC LIMIT :read_at_most
    ) AS lately WHERE leaf @> CAST(:segment AS jsonb) ORDER BY minute DESC, id LIMIT :most
""")
# A small segment of a busy line: what takes longer than a statement may would stop the judge.
_READ_AT_MOST: Final = 200_000


class SqlPast:
    """The counted answers of a line, as one transaction sees them. Minutes are inclusive."""

    def __init__(self, connection: AsyncConnection, line: Line) -> None:
        self._connection = connection
        self._line = line._asdict()

    async def leaves(self, first: int, last: int) -> Sequence[LeafTick]:
        """The leaves, summed over the minutes."""
        values = {"first": first, "last": last, **self._line}
        return [LeafTick(*row) for row in await self._connection.execute(_LEAVES, values)]

    async def remarks(self, segment: str, first: int, last: int, most: int) -> Sequence[Remark]:
        """What detractors of a segment said, newest first."""
        values: dict[str, Any] = {"first": first, "last": last, "most": most, **self._line}
        values |= {"segment": segment, "read_at_most": _READ_AT_MOST}
        rows = await self._connection.execute(_REMARKS, values)
        return [Remark(tuple(row.reasons), row.comment) for row in rows]
