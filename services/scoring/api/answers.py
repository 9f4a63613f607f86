"""`GET /v1/responses` and `GET /v1/segments`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response

from services.scoring.api.asked import check_survey
from services.scoring.api.parameters import Cut, Span, read_metric
from services.scoring.api.reading import Reading
from services.scoring.api.schemas import pages
from services.scoring.domain.cells import Layout
from services.scoring.store.dimensions import Values, list_values
from services.scoring.store.listing import Listed, list_answers
from services.scoring.store.searching import Search
from services.scoring.store.values import full_among
from shared.keys import require_scope
from shared.web import decode_cursor, page_of
from shared.web.app import json_response
from shared.web.pages import Cursor, Limit, Page, moment_in, not_ours


@dataclass
class Narrow:
    """Which of the answers."""

    metric: Annotated[str | None, Query(description="all, if not told")] = None
    klass: Annotated[Literal["detractor", "passive", "promoter"] | None, Query(alias="class")] = (
        None
    )
    reason: Annotated[str | None, Query(max_length=200)] = None
    q: Annotated[
        str | None, Query(min_length=1, max_length=200, description="text in the comment")
    ] = None

    def search(self, span: Span, cut: Cut, as_of: datetime, reading: Reading) -> Search:
        """The answers asked for, not cut in pages. Raises Invalid."""
        return Search(
            window=span.read(as_of),
            metric=read_metric(self.metric),
            survey=cut.survey,
            where=cut.read_where(reading),
            klass=self.klass,
            reason=self.reason,
            text=self.q,
            on_event=span.time == "event",
        )


@dataclass
class Paged:
    """How much: answers newest first."""

    limit: Limit = 50
    cursor: Cursor = None

    def read_cursor(self, order: str) -> tuple[datetime, str, datetime] | None:
        """The last answer of the page before, and its `as_of`. Raises Invalid.

        A page in another order leads nowhere in this one.
        """
        if self.cursor is None:
            return None
        at, key, as_of, ordered = decode_cursor(self.cursor, 4)
        if not isinstance(key, str) or "\0" in key or ordered != order:
            raise not_ours(self.cursor)
        return moment_in(self.cursor, at), key, moment_in(self.cursor, as_of)


class Told(Page, frozen=True, kw_only=True):
    """One page, and how fresh it is."""

    as_of: datetime
    behind_s: float | None


def build_answers(reading: Reading) -> APIRouter:
    """The routes for the answers themselves and for what there is to ask about."""
    router = APIRouter(tags=["answers"])

    @router.get(
        "/v1/responses",
        summary="The answers behind a score, newest first",
        dependencies=[Depends(require_scope("responses:read"))],
        responses=pages(Listed),
    )
    async def responses(
        span: Annotated[Span, Depends()],
        cut: Annotated[Cut, Depends()],
        narrow: Annotated[Narrow, Depends()],
        paged: Annotated[Paged, Depends()],
    ) -> Response:
        cursor = paged.read_cursor(span.time)
        as_of = span.as_of or (cursor[2] if cursor else reading.now())
        search = replace(
            narrow.search(span, cut, as_of, reading),
            after=cursor[:2] if cursor else None,
            limit=paged.limit + 1,
        )
        async with reading.snapshot() as connection:
            await check_survey(connection, cut.survey, reading)
            found = await list_answers(connection, search, values_at_most=reading.values_at_most)

        def place(last: Listed) -> tuple[str, str, str, str]:
            placed = (last.event_at if search.on_event else None) or last.answered_at
            return placed.isoformat(), last.id, as_of.isoformat(), span.time

        return json_response(_told(page_of(found, paged.limit, place), as_of, reading))

    @router.get(
        "/v1/segments",
        summary="The dimensions and the values they take",
        dependencies=[Depends(require_scope("scores:read"))],
        responses=pages(Values),
    )
    async def segments(limit: Limit = 50, cursor: Cursor = None) -> Response:
        names = _after(cursor, Layout(reading.dimensions).dimensions)[: limit + 1]
        async with reading.snapshot() as connection:
            full = await full_among(connection, names, reading.values_at_most)
            listed = await list_values(connection, names, full)
        page = page_of(listed, limit, lambda last: [last.dimension])
        return json_response(_told(page, reading.now(), reading))

    return router


def _told(page: Page, as_of: datetime, reading: Reading) -> Told:
    moment = as_of.astimezone(UTC)
    return Told(items=page.items, next=page.next, as_of=moment, behind_s=reading.behind())


def _after(cursor: str | None, names: Sequence[str]) -> Sequence[str]:
    """The dimensions behind the last one of the page before. Raises Invalid."""
    if cursor is None:
        return names
    (last,) = decode_cursor(cursor, 1)
    if last not in names:
        raise not_ours(cursor)
    return names[names.index(last) + 1 :]
