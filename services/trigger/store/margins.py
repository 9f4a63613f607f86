"""How sure the scores are by which triggers go: two index scans a segment and batch."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.trigger.domain.facts import Margin
from services.trigger.domain.precision import (
    Asked,
    Heard,
    Segment,
    Target,
    heard_of,
    margin_of,
    targets_of,
)
from shared.columns import columns, unnested
from shared.programme.models import Programme
from shared.tally import Tally

_KEY: Final = {
    "survey": "text",
    "dimension": "text",
    "value": "text",
    "since": "date",
    "recent": "date",
    "learnt": "date",
}
_OF_KEY: Final = (
    "x.survey = r.survey AND x.dimension = r.dimension AND x.value = r.value AND x.day >= r.learnt"
)
_COUNTS: Final = text(f"""
    SELECT r.*, a.*, b.*
    FROM {unnested(_KEY)}
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(promoters) FILTER (WHERE x.day >= r.since), 0) AS promoters,
            coalesce(sum(passives) FILTER (WHERE x.day >= r.since), 0) AS passives,
            coalesce(sum(detractors) FILTER (WHERE x.day >= r.since), 0) AS detractors,
            coalesce(sum(total) FILTER (WHERE x.day >= r.since), 0)::bigint AS total,
            coalesce(sum(squares) FILTER (WHERE x.day >= r.since), 0)::bigint AS squares,
            coalesce(sum(answered) FILTER (WHERE x.day >= r.recent), 0) AS recent_answered,
            coalesce(sum(answered) FILTER (WHERE x.day < r.recent), 0) AS ended_answered
        FROM answer_counts x WHERE {_OF_KEY}
    ) a
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(asked) FILTER (WHERE x.day >= r.recent), 0) AS recent_asked,
            coalesce(sum(asked) FILTER (WHERE x.day < r.recent), 0) AS ended_asked
        FROM ask_counts x WHERE {_OF_KEY}
    ) b
""")  # noqa: S608


async def read_heard(
    connection: AsyncConnection, wanted: Sequence[Segment], programme: Programme, now: datetime
) -> Mapping[Segment, Heard]:
    """What is known of each segment whose trigger has a target, as the transaction sees it."""
    targets = targets_of(programme)
    asked = [segment for segment in wanted if segment[0] in targets]
    if not asked:
        return {}
    keys = {segment: _key_of(segment, targets[segment[0]], now) for segment in asked}
    whole = {trigger: _key_of((trigger, ""), targets[trigger], now) for trigger, _ in asked}
    unique = sorted({*keys.values(), *whole.values()})
    rows = (await connection.execute(_COUNTS, columns(_KEY, unique))).mappings()
    found = {tuple(row[name] for name in _KEY): row for row in rows}
    return {segment: _heard(found[keys[segment]], found[whole[segment[0]]]) for segment in asked}


async def read_margins(
    connection: AsyncConnection, wanted: Sequence[Segment], programme: Programme, now: datetime
) -> Mapping[Segment, Margin]:
    """The margin of each segment whose trigger has a target, as the transaction sees it."""
    targets = targets_of(programme)
    heard = await read_heard(connection, wanted, programme, now)
    return {
        segment: margin_of(known, targets[segment[0]].rules, targets[segment[0]].points)
        for segment, known in heard.items()
    }


def _key_of(segment: Segment, target: Target, now: datetime) -> tuple[Any, ...]:
    value = segment[1]
    dimension = target.dimension if value else ""
    days = (target.since(now), target.recent(now), target.learnt(now))
    return (target.survey, dimension, value, *days)


def _heard(row: RowMapping, whole: RowMapping) -> Heard:
    tally = Tally(
        promoters=row["promoters"],
        passives=row["passives"],
        detractors=row["detractors"],
        total=row["total"],
        squares=row["squares"],
        distribution=None,
    )
    recent = Asked(row["recent_asked"], row["recent_answered"])
    return heard_of(tally, _ended(row), recent, usual=_ended(whole).rate())


def _ended(row: RowMapping) -> Asked:
    return Asked(row["ended_asked"], row["ended_answered"])
