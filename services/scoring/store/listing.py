"""The answers themselves, newest first."""

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import asyncpg
import msgspec

from services.scoring.domain.answers import LOWEST, metric_of
from services.scoring.domain.cells import VALUES_AT_MOST
from services.scoring.domain.windows import Window
from services.scoring.store.searching import Search, full_for, ordered, sought
from services.scoring.store.slices import Arguments

LOOKED_THROUGH: Final = 10_000


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


async def list_answers(
    connection: asyncpg.Connection, search: Search, *, values_at_most: int = VALUES_AT_MOST
) -> list[Listed]:
    """At most `limit` answers, newest first by the time that places them.

    The planner cannot know how rare a segment is. So the newest answers are looked through in
    their order, and only what they do not fill comes by the index of segments.
    """
    full = await full_for(connection, search, values_at_most)
    indexed = any(name not in full for name, _ in search.where)
    edge = await _look_back(connection, search) if indexed else None
    window = search.window
    newest = search if edge is None else replace(search, window=Window(edge, window.end))
    told = Arguments()
    limit = told.add(search.limit, "int")
    found = await _fetch(connection, ordered(newest, told, full, "*", limit), told)
    if edge is not None and len(found) < search.limit:
        left = search.limit - len(found)
        older = replace(search, window=Window(window.start, edge), limit=left)
        told = Arguments()
        found += await _fetch(connection, sought(older, told, full), told)
    return found


async def _look_back(connection: asyncpg.Connection, search: Search) -> datetime | None:
    """The moment of the 10,000th newest answer; None where the window holds fewer."""
    told = Arguments()
    bare = replace(search, where=(), metric=None, survey=None, klass=None, reason=None, text=None)
    # a limit that the planner knows: it would think of a tenth of all answers
    newest = ordered(bare, told, (), "id", str(LOOKED_THROUGH))
    moment: datetime | None = await connection.fetchval(
        f"SELECT placed_at FROM ({newest}) AS n OFFSET {LOOKED_THROUGH - 1}",  # noqa: S608
        *told.values,
    )
    return moment


async def _fetch(connection: asyncpg.Connection, rows: str, told: Arguments) -> list[Listed]:
    found = await connection.fetch(
        "SELECT id, survey, metric, scale, score, segments::text, touchpoint, reasons::text,"  # noqa: S608
        " comment, language, customer_id, answered_at, asked_event_at"
        f" FROM ({rows}) AS r ORDER BY placed_at DESC, id DESC",
        *told.values,
    )
    return [_listed(row) for row in found]


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
