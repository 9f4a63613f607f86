"""`GET /v1/scores` and `GET /v1/trend`."""

from collections.abc import Sequence
from datetime import UTC
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Response

from services.scoring.api.paging import (
    NOBODY,
    Asked,
    Groups,
    Paged,
    main_scale,
    named,
    page_of_groups,
    size_of,
)
from services.scoring.api.parameters import Cut, MetricName, Span, read_by
from services.scoring.api.reading import Reading
from services.scoring.api.shapes import Line, Scores, Trend, point, scored
from services.scoring.domain.questions import Question
from services.scoring.domain.windows import TooManyBuckets, Window, buckets_of
from services.scoring.store.groups import read_groups
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
        asked = _read(metric, span, cut, paged, reading)
        windows = [asked.window.before, asked.window]
        groups = await _groups(asked, windows, reading)
        page, following = page_of_groups(groups, asked, paged.limit, range(1, 2))
        entry = main_scale(metric)
        reply = Scores(
            metric=metric,
            start=asked.window.start,
            end=asked.window.end,
            as_of=asked.as_of.astimezone(UTC),
            behind_s=reading.behind(),
            level=LEVEL,
            next=following,
            groups=[
                scored(
                    named(asked.question, segment),
                    groups[segment].get(1, NOBODY),
                    groups[segment].get(0, NOBODY),
                    entry,
                    reading.sufficient,
                )
                for segment in page
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
        asked = _read(metric, span, cut, paged, reading)
        zone = _zone(tz or reading.timezone)
        windows = _buckets(asked.window, bucket, zone)
        groups = await _groups(asked, windows, reading)
        limit = max(1, min(paged.limit, _POINTS_AT_MOST // len(windows)))
        page, following = page_of_groups(groups, asked, limit, range(len(windows)))
        entry = main_scale(metric)
        reply = Trend(
            metric=metric,
            start=asked.window.start,
            end=asked.window.end,
            bucket=bucket,
            tz=zone.key,
            as_of=asked.as_of.astimezone(UTC),
            behind_s=reading.behind(),
            level=LEVEL,
            next=following,
            groups=[
                Line(
                    segment=named(asked.question, segment),
                    n=size_of(groups[segment], range(len(windows))),
                    points=[
                        point(
                            window,
                            groups[segment].get(number, NOBODY).tally,
                            entry,
                            reading.sufficient,
                        )
                        for number, window in enumerate(windows)
                    ],
                )
                for segment in page
            ],
        )
        return json_response(reply)

    return router


def _read(metric: str, span: Span, cut: Cut, paged: Paged, reading: Reading) -> Asked:
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


async def _groups(asked: Asked, windows: Sequence[Window], reading: Reading) -> Groups:
    async with reading.snapshot() as connection:
        groups = await read_groups(
            connection, asked.question, windows, values_at_most=reading.values_at_most
        )
    return groups if asked.question.by else {(): groups.get((), {})}


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
