"""How sure the scores are by which triggers go: two index scans a segment and batch."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.trigger.domain.facts import Margin
from services.trigger.domain.precision import (
    Asked,
    Habit,
    Heard,
    Segment,
    Target,
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
_OF_KEY: Final = "x.survey = r.survey AND x.dimension = r.dimension AND x.value = r.value"
_OF_PERIOD: Final = ", ".join(
    f"coalesce(sum({name}) FILTER (WHERE x.day >= r.since), 0)::bigint AS {name}"
    for name in ("promoters", "passives", "detractors", "total", "squares")
)
_COUNTS: Final = text(f"""
    SELECT r.*, a.*, b.*
    FROM {unnested(_KEY)}
    CROSS JOIN LATERAL (
        SELECT {_OF_PERIOD},
            coalesce(sum(answered) FILTER (WHERE x.day >= r.learnt), 0) AS answered,
            coalesce(sum(answered) FILTER (WHERE x.day >= r.learnt AND x.day < r.recent), 0)
                AS ended,
            coalesce(sum(late) FILTER (WHERE x.day >= r.learnt AND x.day < r.recent), 0)::bigint
                AS late
        FROM answer_counts x WHERE {_OF_KEY} AND x.day >= least(r.since, r.learnt)
    ) a
    CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(x.day), '{{}}') AS days,
            coalesce(array_agg(x.asked), '{{}}') AS asked
        FROM ask_counts x WHERE {_OF_KEY} AND x.day >= r.learnt
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
    usual = {trigger: _asked(found[key]).habit(now, Habit()) for trigger, key in whole.items()}
    return {segment: _heard(found[key], usual[segment[0]], now) for segment, key in keys.items()}


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


def _heard(row: RowMapping, usual: Habit, now: datetime) -> Heard:
    tally = Tally(
        promoters=row["promoters"],
        passives=row["passives"],
        detractors=row["detractors"],
        total=row["total"],
        squares=row["squares"],
        distribution=None,
    )
    asked = _asked(row)
    return Heard(tally, asked.waiting(now, asked.habit(now, usual)))


def _asked(row: RowMapping) -> Asked:
    days = dict(zip(row["days"], row["asked"], strict=True))
    return Asked(days, row["answered"], row["ended"], timedelta(seconds=row["late"]))
