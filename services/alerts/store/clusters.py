"""The clusters of a day, found anew in what was counted."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain.answers import DAY, Line
from services.alerts.domain.clusters import Clusters

# Names are admitted in the order in which the judge met them.
_CLUSTERS: Final = sa.text("""
    SELECT cluster, sum(answers) AS answers FROM ticks
    WHERE metric = :metric AND survey = :survey AND minute BETWEEN :first AND :last
        AND cluster <> '' AND answers > 0
    GROUP BY cluster ORDER BY min(minute), cluster COLLATE "C"
""")


async def read_clusters(connection: AsyncConnection, line: Line, judged_to: int) -> Clusters:
    """Count the clusters of the day that was judged last, as far as it was."""
    clusters = Clusters(judged_to // DAY)
    when = {"first": clusters.day * DAY, "last": judged_to}
    async with connection.stream(_CLUSTERS, line._asdict() | when) as rows:
        async for name, answers in rows:
            clusters.add(name, int(answers))
    return clusters
