"""Traces of detractors' answers, so that an alert stands in the traces of what raised it."""

from collections.abc import Iterable, Mapping
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
_RAISED: Final = {
    "alert_id": "text",
    "metric": "text",
    "survey": "text",
    "first": "int",
    "last": "int",
    "segment": "text",
}
_READ: Final = sa.text(f"""
    SELECT raised.alert_id, found.traceparent FROM {unnested(_RAISED, "raised")}
    CROSS JOIN LATERAL (
        SELECT t.traceparent, t.minute, t.id FROM traced t
        WHERE t.metric = raised.metric AND t.survey = raised.survey
            AND t.minute BETWEEN raised.first AND raised.last
            AND t.leaf @> CAST(raised.segment AS jsonb)
        ORDER BY t.minute DESC, t.id LIMIT :most
    ) found ORDER BY raised.alert_id, found.minute DESC, found.id
""")  # noqa: S608


async def keep_traces(connection: AsyncConnection, answers: Iterable[Answer]) -> None:
    """Note the traces that detractors' answers belong to; mostly there are none."""
    rows = [
        (a.id, *a.place[:4], a.traceparent)
        for a in answers
        if a.detractor and a.traceparent is not None
    ]
    if rows:
        await connection.execute(_KEEP, columns(_TRACED, sorted(rows)))


async def read_traces(
    connection: AsyncConnection, alerts: Iterable[Alert]
) -> Mapping[str, list[str]]:
    """By alert, of the answers that raised it, at most eight traces, the newest first."""
    rows = [
        (
            alert.id,
            alert.metric,
            alert.survey or "",
            minute_of(alert.began_at),
            minute_of(alert.opened_at),
            msgspec.json.encode(alert.segment).decode(),
        )
        for alert in alerts
    ]
    found: dict[str, list[str]] = {row[0]: [] for row in rows}
    if rows:
        for name, trace in await connection.execute(_READ, columns(_RAISED, rows) | {"most": MOST}):
            found[name].append(trace)
    return found
