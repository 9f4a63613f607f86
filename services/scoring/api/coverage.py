"""`GET /v1/coverage`: of all events, how many were eligible, asked, delivered and answered."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Response

from services.scoring.api.asked import check_survey, read_asked
from services.scoring.api.paging import Asked, Paged, named
from services.scoring.api.parameters import Bounds, Cut, Span
from services.scoring.api.reading import Reading
from services.scoring.domain.funnel import Funnel
from services.scoring.domain.questions import Segment
from services.scoring.domain.shares import Share
from services.scoring.store.delays import Delay, read_delays
from services.scoring.store.funnel import read_funnels
from shared.intervals import LEVEL
from shared.keys import require_scope
from shared.web.app import json_response
from shared.web.schemas import replies

_NOBODY = Funnel()


class Rates(msgspec.Struct, frozen=True):
    """Each a share of the step before; `coverage` is answered of all that are eligible."""

    eligible: Share | None
    asked: Share | None
    delivered: Share | None
    answered: Share | None
    coverage: Share | None


class Given(msgspec.Struct, frozen=True):
    """A reason, and how many events were decided so."""

    reason: str
    n: int


class AnswerDelay(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from the invitation to the answers that were given in the window."""

    n: int
    median_s: float | None
    p90_s: float | None
    interval_s: tuple[float, float] | None


class Covered(msgspec.Struct, frozen=True, kw_only=True):
    """One group of `GET /v1/coverage`."""

    segment: dict[str, str]
    events: int
    eligible: int
    asked: int
    delivered: int
    answered: int
    rates: Rates
    reasons: Sequence[Given]
    answer_delay: AnswerDelay


class Coverage(msgspec.Struct, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """`GET /v1/coverage`."""

    start: datetime
    end: datetime
    as_of: datetime
    behind_s: float | None
    level: float
    next: str | None
    groups: Sequence[Covered]


def build_coverage(reading: Reading) -> APIRouter:
    """The route for how far events come."""
    router = APIRouter(tags=["scores"], dependencies=[Depends(require_scope("scores:read"))])

    @router.get(
        "/v1/coverage",
        summary="Of all events: eligible, asked, delivered, answered; and how long answers take",
        responses=replies(Coverage),
    )
    async def coverage(
        bounds: Annotated[Bounds, Depends()],
        cut: Annotated[Cut, Depends()],
        paged: Annotated[Paged, Depends()],
    ) -> Response:
        asked = read_asked("", Span(**vars(bounds), time="event"), cut, paged, reading)
        question, window, most = asked.question, asked.window, reading.values_at_most
        async with reading.snapshot() as connection:
            await check_survey(connection, question.survey, reading)
            funnels = await read_funnels(connection, question, window, values_at_most=most)
            page, following = await asyncio.to_thread(page_of, funnels, asked, paged.limit)
            delays = await read_delays(connection, question, window, page, values_at_most=most)

        def groups() -> list[Covered]:
            return [
                covered(named(question, one), funnels.get(one, _NOBODY), delays.get(one))
                for one in page
            ]

        reply = Coverage(
            start=window.start,
            end=window.end,
            as_of=asked.as_of.astimezone(UTC),
            behind_s=reading.behind(),
            level=LEVEL,
            next=following,
            groups=await asyncio.to_thread(groups),
        )
        return json_response(reply)

    return router


def page_of(
    funnels: Mapping[Segment, Funnel], asked: Asked, limit: int
) -> tuple[list[Segment], str | None]:
    """The segments of this page in falling events, and the cursor of the next.

    Without `by` the one group is there whatever happened.
    """
    if not asked.question.by:
        return [()], None
    ranked = sorted((-funnel.events, list(segment)) for segment, funnel in funnels.items())
    if asked.after is not None:
        last = (-asked.after[0], asked.after[1])
        ranked = [place for place in ranked if place > last]
    page = [tuple(values) for _, values in ranked[:limit]]
    if len(ranked) <= limit:
        return page, None
    return page, asked.place(funnels[page[-1]].events, page[-1])


def covered(segment: dict[str, str], funnel: Funnel, delay: Delay | None) -> Covered:
    """One group as the reply shows it."""
    return Covered(
        segment=segment,
        events=funnel.events,
        eligible=funnel.eligible,
        asked=funnel.asked,
        delivered=funnel.delivered,
        answered=funnel.answered,
        rates=Rates(**funnel.rates),
        reasons=[Given(reason, n) for reason, n in funnel.reasons],
        answer_delay=AnswerDelay(
            n=0 if delay is None else delay.n,
            median_s=None if delay is None else delay.median,
            p90_s=None if delay is None else delay.p90,
            interval_s=None if delay is None else delay.interval,
        ),
    )
