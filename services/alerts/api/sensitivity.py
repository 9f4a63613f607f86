"""How long it would take to notice that detractors doubled, over HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response

from services.alerts.api.streams import Key, Row, Streams
from services.alerts.domain.answers import Line
from services.alerts.domain.sensible import StreamSensitivity
from services.alerts.store.alerts import find_alert
from shared.errors import FieldFault, Invalid, NotFound, unknown_name
from shared.keys import require_scope
from shared.programme.metrics import METRIC_NAMES
from shared.segments import clean_value, read_segment_key
from shared.web import Page, decode_cursor, page_of
from shared.web.app import json_response
from shared.web.pages import Cursor, Limit, not_ours
from shared.web.schemas import page_replies

_DEEPEST: Final = 2
_AROUND: Final = 50


@dataclass
class Which:
    """Which streams are asked for."""

    metric: Annotated[str | None, Query(description="nps, csat or ces; all, if not told")] = None
    survey: Annotated[str | None, Query(min_length=1, max_length=200)] = None
    segment: Annotated[
        list[str] | None,
        Query(max_length=_DEEPEST, description="dimension:value; may repeat; everything inside it"),
    ] = None

    def read(self, dimensions: Sequence[str]) -> dict[str, str]:
        """The segment asked for. Raises Invalid that says what is accepted."""
        if self.metric is not None and self.metric not in METRIC_NAMES:
            accepted = ", ".join(METRIC_NAMES)
            raise Invalid.of([FieldFault("metric", "out-of-range", self.metric, accepted)])
        segment: dict[str, str] = {}
        for text in self.segment or ():
            name, colon, value = text.partition(":")
            cleaned = clean_value(value)
            if not colon or cleaned is None or name in segment:
                accepted = "dimension:value, such as region:EU, each dimension once"
                raise Invalid.of([FieldFault("segment", "wrong-type", text, accepted)])
            if name not in dimensions:
                raise Invalid.of([unknown_name("segment", name, dimensions)])
            segment[name] = cleaned
        return segment

    def takes(self, line: Line) -> bool:
        """Whether a line is asked for."""
        return self.metric in (None, line.metric) and self.survey in (None, line.survey)


def build_sensitivity(streams: Streams) -> APIRouter:
    """What it would take to notice a doubling, stream by stream."""
    router = APIRouter(tags=["trust"], dependencies=[Depends(require_scope("alerts:read"))])

    @router.get(
        "/v1/sensitivity",
        summary="How long it would take to notice that detractors doubled, busiest streams first",
        responses=page_replies(StreamSensitivity),
    )
    async def sensitivity(
        *, which: Annotated[Which, Depends()], limit: Limit = 50, cursor: Cursor = None
    ) -> Response:
        segment = which.read(streams.lattice.dimensions)
        after = _place(cursor)
        found: list[Row] = []
        for row in await streams.rows():
            if (
                (after is None or row.key > after)
                and which.takes(row.watched.fleet.line)
                and segment.items() <= read_segment_key(row.segment).items()
            ):
                found.append(row)
                if len(found) > limit:
                    break
        page = page_of(found, limit, lambda row: row.key)
        return json_response(Page(items=streams.describe(page.items), next=page.next))

    @router.get(
        "/v1/alerts/{alert_id}/sensitivity",
        summary="The same of the 50 busiest streams that an alert's segment lies in, or that lie"
        " in it",
        responses=page_replies(StreamSensitivity),
    )
    async def around(alert_id: str) -> Response:
        async with streams.engine.connect() as connection:
            alert = await find_alert(connection, alert_id)
        if alert is None:
            raise NotFound("there is no such alert")
        found = [
            row
            for row in await streams.rows()
            if row.watched.fleet.line == alert.line and _nested(row.segment, alert.segment)
        ]
        return json_response(Page(items=streams.describe(found[:_AROUND]), next=None))

    return router


def _nested(key: str, segment: dict[str, str]) -> bool:
    one, other = read_segment_key(key).items(), segment.items()
    return one <= other or other <= one


def _place(cursor: str | None) -> Key | None:
    if cursor is None:
        return None
    daily, *names = decode_cursor(cursor, 4)
    if isinstance(daily, bool) or not isinstance(daily, int | float):
        raise not_ours(cursor)
    if not all(isinstance(name, str) for name in names):
        raise not_ours(cursor)
    return float(daily), names[0], names[1], names[2]
