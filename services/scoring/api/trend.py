"""`GET /v1/trend`."""

import asyncio
from collections.abc import Sequence
from datetime import UTC
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import numpy as np
from fastapi import APIRouter, Depends, Query, Response

from services.scoring.api.asked import check_survey, read_asked
from services.scoring.api.paging import Paged, main_scale, named, page_of_groups
from services.scoring.api.parameters import Cut, MetricName, Span
from services.scoring.api.reading import Reading
from services.scoring.api.shapes import Counts, Line, Point, Trend
from services.scoring.api.told import interval_of, marks_of, number, share_easy, target_of
from services.scoring.domain.questions import Question
from services.scoring.domain.scores import Floats, figures_of
from services.scoring.domain.sheets import Sheet
from services.scoring.domain.windows import TooManyBuckets, Window, buckets_of
from shared.errors import FieldFault, Invalid
from shared.intervals import LEVEL
from shared.programme.scoring import DAY
from shared.web.app import json_response
from shared.web.schemas import replies

POINTS_AT_MOST = 20_000
Bucket = Literal["1h", "1d", "1w", "1mo", "1q"]


def add_trend(router: APIRouter, reading: Reading) -> None:
    """The route for scores over time."""

    @router.get("/v1/trend", summary="Scores by segment over time", responses=replies(Trend))
    async def trend(
        metric: MetricName,
        span: Annotated[Span, Depends()],
        cut: Annotated[Cut, Depends()],
        paged: Annotated[Paged, Depends()],
        bucket: Annotated[Bucket, Query(description="length of a point")] = "1d",
        tz: Annotated[str | None, Query(max_length=100, description="time zone of days")] = None,
    ) -> Response:
        asked = read_asked(metric, span, cut, paged, reading)
        zone = read_zone(reading.timezone if tz is None else tz)
        windows = read_buckets(asked.window, bucket, zone)
        limit = max(1, min(paged.limit, POINTS_AT_MOST // len(windows)))
        reader, question = reading.reader, asked.question
        async with reading.snapshot() as connection:
            await check_survey(connection, cut.survey, reading)
            whole = await reader.groups(connection, question, [asked.window])
            page = page_of_groups(whole, asked, limit, 0)
            shown = [whole.segments[place] for place in page.places]
            sheet = await reader.groups(connection, question, windows, only=shown)
            effects = await reading.widening.effects_by_day(connection, question, windows, sheet)
        points = Points(sheet, question, windows, effects, reading.sufficient)

        def lines() -> list[Line]:
            sizes = whole.n(0)
            return [
                Line(
                    segment=(segment := named(question, whole.segments[place])),
                    n=int(sizes[place]),
                    target=target_of(reading, question, segment),
                    points=points.of(whole.segments[place]),
                )
                for place in page.places
            ]

        reply = Trend(
            metric=metric,
            start=asked.window.start,
            end=asked.window.end,
            bucket=bucket,
            tz=zone.key,
            as_of=asked.as_of.astimezone(UTC),
            behind_s=reading.behind(),
            level=LEVEL,
            clusters=[kind for kind in reading.widening.kinds(question) if kind == DAY],
            benchmarks=marks_of(reading, metric),
            next=page.next,
            groups=await asyncio.to_thread(lines),
        )
        return json_response(reply)


class Points:
    """The points of any group of the page."""

    def __init__(
        self, sheet: Sheet, question: Question, windows: Sequence[Window], deff: Floats, least: int
    ) -> None:
        tallies = sheet.tallies_over_time(len(windows))
        self._figures = figures_of(tallies, main_scale(question.metric), deff)
        self._classes = np.stack((tallies.promoters, tallies.passives, tallies.detractors))
        self._deff = deff
        self._places = {segment: place for place, segment in enumerate(sheet.segments)}
        self._question, self._windows, self._least = question, windows, least

    def of(self, segment: tuple[str, ...]) -> list[Point]:
        place = self._places[segment]
        return [self._point(bucket, place, window) for bucket, window in enumerate(self._windows)]

    def _point(self, bucket: int, place: int, window: Window) -> Point:
        at = (bucket, place)
        n = int(self._figures.n[at])
        counts = Counts(*self._classes[:, bucket, place].tolist())
        return Point(
            start=window.start,
            end=window.end,
            n=n,
            score=number(self._figures.score[at]),
            share_easy=share_easy(self._question.metric, counts, n),
            interval=interval_of(self._figures, at),
            design_effect=float(self._deff[at]),
            sufficient=n >= self._least,
            counts=counts,
        )


def read_buckets(window: Window, bucket: str, zone: ZoneInfo) -> list[Window]:
    """The window cut in buckets. Raises Invalid where they are too many."""
    try:
        return buckets_of(window, bucket, zone)
    except TooManyBuckets as error:
        fault = FieldFault("bucket", "out-of-range", bucket, f"{error}: a longer bucket")
        raise Invalid.of([fault]) from None


def read_zone(name: str) -> ZoneInfo:
    """The time zone of that name. Raises Invalid."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        fault = FieldFault("tz", "out-of-range", name, "a name such as Europe/Berlin")
        raise Invalid.of([fault]) from None
