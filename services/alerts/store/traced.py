"""Traces of detractors' answers, so that an alert stands in the traces of what raised it."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain.alerts import Alert
from services.alerts.domain.answers import Answer, minute_of
from shared.columns import columns, unnested

MOST: Final = 8
_TRACED: Final = {
    "id": "text",
    "metric": "text",
    "survey": "text",
    "minute": "int",
    "leaf": "text",
    "traceparent": "text",
}
_KEEP: Final = sa.text(f"""
    INSERT INTO traced (id, metric, survey, minute, leaf, traceparent)
    SELECT id, metric, survey, minute, CAST(leaf AS jsonb), traceparent
    FROM {unnested(_TRACED)} ON CONFLICT (id) DO NOTHING
""")  # noqa: S608
_READ: Final = sa.text("""
    SELECT traceparent FROM traced
    WHERE metric = :metric AND survey = :survey AND minute BETWEEN :first AND :last
        AND leaf @> CAST(:segment AS jsonb)
    ORDER BY minute DESC, id LIMIT :most
""")


async def keep_traces(connection: AsyncConnection, answers: Iterable[Answer]) -> None:
    """Note the traces that detractors' answers belong to; mostly there are none."""
    rows = [
        (a.id, *a.place[:4], a.traceparent)
        for a in answers
        if a.detractor and a.traceparent is not None
    ]
    if rows:
        await connection.execute(_KEEP, columns(_TRACED, sorted(rows)))


async def read_traces(connection: AsyncConnection, alert: Alert) -> Sequence[str]:
    """Of the answers that raised an alert, at most eight traces, the newest first."""
    values = {
        "metric": alert.metric,
        "survey": alert.survey or "",
        "first": minute_of(alert.began_at),
        "last": minute_of(alert.opened_at),
        "segment": msgspec.json.encode(alert.segment).decode(),
        "most": MOST,
    }
    return list((await connection.execute(_READ, values)).scalars())
