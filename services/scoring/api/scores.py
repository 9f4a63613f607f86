"""`GET /v1/scores`."""

import asyncio
from dataclasses import replace
from datetime import UTC
from typing import Annotated

import asyncpg
from fastapi import APIRouter, Depends, Response

from services.scoring.api.asked import REST, Beside, Opposite, check_survey, read_asked
from services.scoring.api.paging import Asked, Paged, main_scale, page_of_groups
from services.scoring.api.parameters import Cut, MetricName, Span
from services.scoring.api.reading import Reading
from services.scoring.api.shapes import Scores
from services.scoring.api.told import Teller, marks_of
from services.scoring.api.trend import add_trend
from services.scoring.api.weights import ByStrata, read_weighted
from services.scoring.domain.questions import Question
from services.scoring.domain.sheets import Sheet
from services.scoring.domain.verdicts import NOW, Opponent, judge
from shared.intervals import LEVEL
from shared.keys import require_scope
from shared.web.app import json_response
from shared.web.schemas import replies


def build_scores(reading: Reading) -> APIRouter:
    """The routes for scores of groups."""
    router = APIRouter(tags=["scores"], dependencies=[Depends(require_scope("scores:read"))])

    @router.get(
        "/v1/scores",
        summary="Scores by segment, each with n and an interval",
        responses=replies(Scores),
    )
    async def scores(
        metric: MetricName,
        span: Annotated[Span, Depends()],
        cut: Annotated[Cut, Depends()],
        paged: Annotated[Paged, Depends()],
        beside: Annotated[Beside, Depends()],
        by_strata: Annotated[ByStrata, Depends()],
    ) -> Response:
        asked = read_asked(metric, span, cut, paged, reading)
        other = beside.read(asked.question.by, reading)
        strata = by_strata.read(asked.question, reading)
        async with reading.snapshot() as connection:
            await check_survey(connection, cut.survey, reading)
            teller = await judged(connection, asked, other, reading)
            page = page_of_groups(teller.sheet, asked, paged.limit, NOW)
            weighted = None
            if strata:
                groups = [teller.sheet.segments[place] for place in page.places]
                weighted = await read_weighted(connection, asked, strata, groups, reading)
        reply = Scores(
            metric=metric,
            start=asked.window.start,
            end=asked.window.end,
            as_of=asked.as_of.astimezone(UTC),
            behind_s=reading.behind(),
            level=LEVEL,
            clusters=reading.widening.kinds(asked.question),
            benchmarks=marks_of(reading, metric),
            next=page.next,
            groups=await asyncio.to_thread(teller.groups, page.places, weighted),
        )
        return json_response(reply)

    add_trend(router, reading)
    return router


async def judged(
    connection: asyncpg.Connection, asked: Asked, other: Opposite | None, reading: Reading
) -> Teller:
    """Judge every group of a question, each beside the other one if there is one."""
    question, windows = asked.question, [asked.window.before, asked.window]
    sheet = await reading.reader.groups(connection, question, windows)
    opponent = None
    if isinstance(other, dict):
        opponent = Opponent(place=_place(sheet, question, other))
    elif other == REST:
        opponent = await _rest(connection, asked, reading)
    effects = await reading.widening.effects(connection, question, windows, sheet)
    verdicts = await asyncio.to_thread(
        judge,
        sheet,
        main_scale(question.metric),
        effects=effects,
        opponent=opponent,
        drawn=bool(question.by),
    )
    return Teller(reading, question, sheet, verdicts, other)


async def _rest(connection: asyncpg.Connection, asked: Asked, reading: Reading) -> Opponent:
    """The question without its groups: answers that name no value are counted too."""
    question, windows = replace(asked.question, by=()), [asked.window]
    whole = await reading.reader.groups(connection, question, windows)
    effects = await reading.widening.effects(connection, question, windows, whole)
    return Opponent(whole=whole, deff=float(effects[0, 0]))


def _place(sheet: Sheet, question: Question, other: dict[str, str]) -> int | None:
    segment = tuple(other[name] for name in question.by)
    return sheet.segments.index(segment) if segment in sheet.segments else None
