"""The answers themselves, newest first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from services.scoring.domain.answers import LOWEST, metric_of
from services.scoring.domain.windows import Window
from services.scoring.store.slices import Arguments
from shared.programme.metrics import METRICS, Klass


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One answer as `GET /v1/responses` shows it."""

    id: str
    survey: str | None
    metric: str
    scale: tuple[int, int]
    score: int
    klass: str = msgspec.field(name="class")
    segments: dict[str, str]
    touchpoint: str | None
    reasons: list[str]
    comment: str | None
    language: str | None
    customer_id: str | None
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class Search:
    """Which answers are listed."""

    window: Window
    metric: str | None = None
    survey: str | None = None
    where: tuple[tuple[str, str], ...] = ()
    klass: str | None = None
    reason: str | None = None
    text: str | None = None
    on_event: bool = False
    after: tuple[datetime, str] | None = None  # the last one of the page before
    limit: int = 50


async def list_answers(connection: asyncpg.Connection, search: Search) -> list[Listed]:
    """At most `limit` answers, newest first."""
    told = Arguments()
    at = "event_at" if search.on_event else "answered_at"
    wanted = [
        f"{at} >= {told.add(search.window.start, 'timestamptz')}",
        f"{at} < {told.add(search.window.end, 'timestamptz')}",
        *(f"segments ->> {told.add(name)} = {told.add(value)}" for name, value in search.where),
        *_narrowed(search, told),
    ]
    rows = await connection.fetch(
        "SELECT id, survey, metric, scale, score, segments::text, touchpoint, reasons::text,"  # noqa: S608
        f" comment, language, customer_id, answered_at FROM scored WHERE {' AND '.join(wanted)}"
        f" ORDER BY answered_at DESC, id DESC LIMIT {told.add(search.limit, 'int')}",
        *told.values,
    )
    return [_listed(row) for row in rows]


def _narrowed(search: Search, told: Arguments) -> list[str]:
    wanted = []
    if search.metric is not None:
        wanted.append(f"metric = {told.add(search.metric)}")
    if search.survey is not None:
        wanted.append(f"survey = {told.add(search.survey)}")
    if search.reason is not None:
        wanted.append(f"reasons ? {told.add(search.reason)}")
    if search.text is not None:
        wanted.append(f"strpos(lower(comment), lower({told.add(search.text)})) > 0")
    if search.klass is not None:
        wanted.append(f"({_of_class(search.klass, told)})")
    if search.after is not None:
        moment, key = told.add(search.after[0], "timestamptz"), told.add(search.after[1])
        wanted.append(f"(answered_at, id) < ({moment}, {key})")
    return wanted


def _of_class(klass: str, told: Arguments) -> str:
    return " OR ".join(
        f"metric = {told.add(metric.name)} AND scale = {metric.scale[1]} AND score = ANY("
        f"{told.add([p for p in metric.points if metric.class_of(p) is Klass(klass)], 'int[]')})"
        for metric in METRICS
    )


def _listed(row: Any) -> Listed:
    metric = metric_of(row["metric"], row["scale"])
    return Listed(
        id=row["id"],
        survey=row["survey"],
        metric=metric.name,
        scale=(LOWEST[metric.name], row["scale"]),
        score=row["score"],
        klass=metric.class_of(row["score"]),
        segments=msgspec.json.decode(row["segments"], type=dict[str, str]),
        touchpoint=row["touchpoint"],
        reasons=msgspec.json.decode(row["reasons"], type=list[str]),
        comment=row["comment"],
        language=row["language"],
        customer_id=row["customer_id"],
        answered_at=row["answered_at"],
    )
