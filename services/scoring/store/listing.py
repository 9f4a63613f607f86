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
    event_at: datetime | None


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

    def place_of(self, answer: Listed) -> datetime:
        """The moment by which the answer stands in the list."""
        return answer.event_at or answer.answered_at if self.on_event else answer.answered_at


async def list_answers(connection: asyncpg.Connection, search: Search) -> list[Listed]:
    """At most `limit` answers, newest first by the time that places them."""
    told = Arguments()
    rows = await connection.fetch(
        "SELECT id, survey, metric, scale, score, segments::text, touchpoint, reasons::text,"  # noqa: S608
        " comment, language, customer_id, answered_at, asked_event_at"
        f" FROM scored WHERE {' AND '.join(conditions(search, told))}"
        f" ORDER BY {order_of(search)} LIMIT {told.add(search.limit, 'int')}",
        *told.values,
    )
    return [_listed(row) for row in rows]


def order_of(search: Search) -> str:
    """Newest first, by the time that places an answer."""
    return f"{_at(search)} DESC, id DESC"


def conditions(search: Search, told: Arguments) -> list[str]:
    """What the rows of `scored` must meet."""
    at = _at(search)
    return [
        f"{at} >= {told.add(search.window.start, 'timestamptz')}",
        f"{at} < {told.add(search.window.end, 'timestamptz')}",
        *(f"segments ->> {told.add(name)} = {told.add(value)}" for name, value in search.where),
        *_narrowed(search, told),
    ]


def _at(search: Search) -> str:
    return "event_at" if search.on_event else "answered_at"


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
        wanted.append(f"({_at(search)}, id) < ({moment}, {key})")
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
        event_at=row["asked_event_at"],
    )
