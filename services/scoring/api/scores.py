"""`GET /v1/scores` and `GET /v1/trend`."""

from datetime import UTC
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Response

from services.scoring.api.paging import Asked, Paged, main_scale, named, page_of_groups
from services.scoring.api.parameters import Cut, MetricName, Span, read_by
from services.scoring.api.reading import Reading
from services.scoring.api.shapes import Line, Scores, Trend, point, scored
from services.scoring.domain.questions import Question
from services.scoring.domain.windows import TooManyBuckets, Window, buckets_of
from shared.errors import FieldFault, Invalid
from shared.intervals import LEVEL
from shared.keys import require_scope
from shared.web import decode_cursor
from shared.web.app import json_response
from shared.web.pages import moment_in, not_ours

_POINTS_AT_MOST = 20_000
Bucket = Literal["1h", "1d", "1w", "1mo", "1q"]


def build_scores(reading: Reading) -> APIRouter:
    """The routes for scores of groups."""
    router = APIRouter(tags=["scores"], dependencies=[Depends(require_scope("scores:read"))])

    @router.get("/v1/scores", summary="Scores by segment, each with n and an interval")
    async def scores(
        metric: MetricName,
        span: Annotated[Span, Depends()],
        cut: Annotated[Cut, Depends()],
        paged: Annotated[Paged, Depends()],
    ) -> Response:
        asked = read_asked(metric, span, cut, paged, reading)
        windows = [asked.window.before, asked.window]
        async with reading.snapshot() as connection:
            sheet = await reading.reader.groups(connection, asked.question, windows)
        page = page_of_groups(sheet, asked, paged.limit, 1)
        entry = main_scale(metric)
        reply = Scores(
            metric=metric,
            start=asked.window.start,
            end=asked.window.end,
            as_of=asked.as_of.astimezone(UTC),
            behind_s=reading.behind(),
            level=LEVEL,
            next=page.next,
            groups=[
                scored(
                    named(asked.question, sheet.segments[place]),
                    sheet.group(1, place),
                    sheet.group(0, place),
                    entry,
                    reading.sufficient,
                )
                for place in page.places
            ],
        )
        return json_response(reply)

    @router.get("/v1/trend", summary="Scores by segment over time")
    async def trend(
        metric: MetricName,
        span: Annotated[Span, Depends()],
        cut: Annotated[Cut, Depends()],
        paged: Annotated[Paged, Depends()],
        bucket: Annotated[Bucket, Query(description="length of a point")] = "1d",
        tz: Annotated[str | None, Query(max_length=100, description="time zone of days")] = None,
    ) -> Response:
        asked = read_asked(metric, span, cut, paged, reading)
        zone = _zone(tz or reading.timezone)
        windows = _buckets(asked.window, bucket, zone)
        limit = max(1, min(paged.limit, _POINTS_AT_MOST // len(windows)))
        reader = reading.reader
        async with reading.snapshot() as connection:
            whole = await reader.groups(connection, asked.question, [asked.window])
            page = page_of_groups(whole, asked, limit, 0)
            shown = [whole.segments[place] for place in page.places]
            sheet = await reader.groups(connection, asked.question, windows, only=shown)
        place_of = {segment: place for place, segment in enumerate(sheet.segments)}
        sizes, entry = whole.n(0), main_scale(metric)
        reply = Trend(
            metric=metric,
            start=asked.window.start,
            end=asked.window.end,
            bucket=bucket,
            tz=zone.key,
            as_of=asked.as_of.astimezone(UTC),
            behind_s=reading.behind(),
            level=LEVEL,
            next=page.next,
            groups=[
                Line(
                    segment=named(asked.question, segment),
                    n=int(sizes[place]),
                    points=[
                        point(
                            window,
                            sheet.group(number, place_of[segment]).tally,
                            entry,
                            reading.sufficient,
                        )
                        for number, window in enumerate(windows)
                    ],
                )
                for place, segment in zip(page.places, shown, strict=True)
            ],
        )
        return json_response(reply)

    return router


def read_asked(metric: str, span: Span, cut: Cut, paged: Paged, reading: Reading) -> Asked:
    """The question that the parameters ask. Raises Invalid."""
    after = None
    now = span.as_of or reading.now()
    if paged.cursor is not None:
        at, n, values = decode_cursor(paged.cursor, 3)
        if not isinstance(n, int) or not isinstance(values, list):
            raise not_ours(paged.cursor)
        now = span.as_of or moment_in(paged.cursor, at)
        after = (n, [str(value) for value in values])
    window = span.read(now)
    where = cut.read_where(reading)
    by = read_by(paged.by, where, reading)
    question = Question(metric, cut.survey, by, where, on_event=span.time == "event")
    return Asked(question, window, now, after)


def _buckets(window: Window, bucket: str, zone: ZoneInfo) -> list[Window]:
    try:
        return buckets_of(window, bucket, zone)
    except TooManyBuckets as error:
        fault = FieldFault("bucket", "out-of-range", bucket, f"{error}: a longer bucket")
        raise Invalid.of([fault]) from None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        fault = FieldFault("tz", "out-of-range", name, "a name such as Europe/Berlin")
        raise Invalid.of([fault]) from None
