"""What was counted, for those who ask what is behind a rise."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain.causes import Remark
from services.alerts.domain.streams import LeafTick, Line, Stream

_LEAVES: Final = sa.text("""
    SELECT leaf, sum(answers) AS answers, sum(detractors) AS detractors FROM ticks
    WHERE minute BETWEEN :first AND :last AND metric = :metric AND survey = :survey
    GROUP BY leaf HAVING sum(answers) > 0 ORDER BY leaf
""")
_REMARKS: Final = sa.text("""
    SELECT reasons, comment FROM remarks
    WHERE metric = :metric AND survey = :survey AND minute BETWEEN :first AND :last
        AND leaf @> CAST(:segment AS jsonb)
    ORDER BY minute DESC, id LIMIT :most
""")


class SqlPast:
    """The counted answers, as one transaction sees them. Minutes are inclusive."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def leaves(self, line: Line, first: int, last: int) -> Sequence[LeafTick]:
        """The leaves of a line, summed over the minutes."""
        values = {"first": first, "last": last, **line._asdict()}
        rows = await self._connection.execute(_LEAVES, values)
        return [LeafTick(line, row.leaf, row.answers, row.detractors) for row in rows]

    async def remarks(self, stream: Stream, first: int, last: int, most: int) -> Sequence[Remark]:
        """What detractors of a stream said, newest first."""
        values = {"first": first, "last": last, "segment": stream.segment, "most": most}
        rows = await self._connection.execute(_REMARKS, values | stream.line._asdict())
        return [Remark(tuple(row.reasons), row.comment) for row in rows]
