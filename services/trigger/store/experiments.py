"""Experiments as they stand in the invitations and their answers."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.trigger.domain.comparing import Counted
from shared.programme.metrics import Metric, find_metric

# An answer at the last moment still has its way through two services to go.
GRACE: Final = timedelta(hours=1)

_KNOWN: Final = """
SELECT DISTINCT ON (experiment) experiment, trigger, survey, metric, scale_low, scale_high,
    min(coalesce(invited_at, send_at)) OVER (PARTITION BY experiment) AS since
FROM invitations
WHERE experiment IS NOT NULL AND reminder_of IS NULL AND status IN ('sent', 'unknown')
ORDER BY experiment, created_at DESC, id
"""

_INVITED: Final = """
SELECT variant, count(*) AS n, count(*) FILTER (WHERE expires_at > :over) AS pending,
    min(expires_at) FILTER (WHERE expires_at > :over) AS ends
FROM invitations
WHERE experiment = :name AND survey = :survey
    AND reminder_of IS NULL AND status IN ('sent', 'unknown')
GROUP BY variant
"""

# A customer counts by the first invitation alone: what the same one does later is not independent
# of it. An invitation counts once nobody can answer it any more, answered or not: one that counted
# as soon as it was answered would raise every rate at first, the more the quicker its answers come.
_COUNTED: Final = """
WITH invited AS (
    SELECT DISTINCT ON (customer_id) id, variant, expires_at FROM invitations
    WHERE experiment = :name AND survey = :survey AND metric = :metric
        AND scale_low = :low AND scale_high = :high
        AND reminder_of IS NULL AND status IN ('sent', 'unknown')
    ORDER BY customer_id, expires_at, id
), counted AS MATERIALIZED (
    SELECT i.variant, (a.id IS NOT NULL)::integer AS answered, a.score,
        row_number() OVER (PARTITION BY i.variant ORDER BY i.expires_at, i.id) AS place
    FROM invited i LEFT JOIN answers a ON a.id = i.id
    WHERE i.expires_at <= :over
), scored AS MATERIALIZED (
    SELECT variant, score, row_number() OVER (PARTITION BY variant ORDER BY place) AS place
    FROM counted WHERE score BETWEEN :low AND :high
), pairs AS (
    SELECT 'rates' AS part, variant, answered AS own,
        max(answered) FILTER (WHERE variant = :first) OVER (PARTITION BY place) AS first
    FROM counted
    UNION ALL
    SELECT 'scores', variant, score,
        max(score) FILTER (WHERE variant = :first) OVER (PARTITION BY place)
    FROM scored
)
SELECT 'counted' AS part, variant, 0 AS first, answered AS own, count(*) AS n
    FROM counted GROUP BY variant, answered
UNION ALL
SELECT 'points', variant, 0, score, count(*) FROM scored GROUP BY variant, score
UNION ALL
SELECT part, variant, first, own, count(*) FROM pairs
    WHERE variant <> :first AND first IS NOT NULL GROUP BY part, variant, first, own
"""


@dataclass(frozen=True, slots=True)
class Subject:
    """What an experiment is about; `since`: when its first invitation went out."""

    name: str
    trigger: str
    survey: str
    metric: Metric
    since: datetime | None


@dataclass(frozen=True)
class ExperimentStore:
    """Reads of experiments."""

    engine: AsyncEngine

    async def known(self) -> Mapping[str, Subject]:
        """The experiments of which anything went out, by name, each as its newest invitation."""
        async with self.engine.connect() as connection:
            rows = (await connection.execute(sa.text(_KNOWN))).mappings().all()
        return {row["experiment"]: _subject(row) for row in rows}

    async def counted(
        self, subject: Subject, variants: Sequence[str], now: datetime
    ) -> Mapping[str, Counted]:
        """What is counted of each variant, in this order, then of those that are gone."""
        about = {
            "name": subject.name,
            "survey": subject.survey,
            "metric": subject.metric.name,
            "low": subject.metric.scale[0],
            "high": subject.metric.scale[1],
            "over": now - GRACE,
        }
        async with self.engine.connect() as connection:
            await connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            invited = {row["variant"]: row for row in await _rows(connection, _INVITED, about)}
            names = list(dict.fromkeys([*variants, *sorted(invited)]))
            rows = await _rows(connection, _COUNTED, {**about, "first": next(iter(names), "")})
        return _assembled(names, invited, rows)


async def _rows(
    connection: AsyncConnection, query: str, about: Mapping[str, Any]
) -> Sequence[sa.RowMapping]:
    rows: Sequence[sa.RowMapping] = (
        (await connection.execute(sa.text(query), dict(about))).mappings().all()
    )
    return rows


def _subject(row: sa.RowMapping) -> Subject:
    metric = find_metric(row["metric"], (row["scale_low"], row["scale_high"]))
    return Subject(row["experiment"], row["trigger"], row["survey"], metric, row["since"])


def _assembled(
    names: Iterable[str], invited: Mapping[str, sa.RowMapping], rows: Iterable[sa.RowMapping]
) -> Mapping[str, Counted]:
    parts: dict[tuple[str, str], dict[tuple[int, int], int]] = defaultdict(dict)
    for row in rows:
        parts[row["part"], row["variant"]][row["first"], row["own"]] = row["n"]
    found: dict[str, Counted] = {}
    for name in names:
        counted, sent = parts["counted", name], invited.get(name)
        found[name] = Counted(
            invited=sent["n"] if sent else 0,
            pending=sent["pending"] if sent else 0,
            next_at=sent["ends"] + GRACE if sent and sent["pending"] else None,
            counted=sum(counted.values()),
            answered=counted.get((0, 1), 0),
            points={own: n for (_, own), n in parts["points", name].items()},
            rates=parts["rates", name],
            scores=parts["scores", name],
        )
    return found
