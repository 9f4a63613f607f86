"""The groups of a question as rows of a file: one a group, or one a group and bucket."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Final

import asyncpg

from services.scoring.api.paging import Asked, page_of_groups
from services.scoring.api.reading import Reading
from services.scoring.api.scores import judged
from services.scoring.api.shapes import Point, Scored
from services.scoring.api.told import interval_of
from services.scoring.api.trend import POINTS_AT_MOST, Points
from services.scoring.domain.questions import Group, Segment
from services.scoring.domain.scores import rates_of
from services.scoring.domain.sheets import Sheet
from services.scoring.domain.spreadsheet import Cells, Column, Kind
from services.scoring.domain.verdicts import NOW
from services.scoring.domain.windows import Window

GROUPS_AT_ONCE: Final = 2_000
_SCORE: Final = (
    Column("from", Kind.MOMENT),
    Column("to", Kind.MOMENT),
    Column("n", Kind.WHOLE),
    Column("score", Kind.NUMBER),
    Column("lower", Kind.NUMBER),
    Column("upper", Kind.NUMBER),
    Column("design_effect", Kind.NUMBER),
    Column("sufficient", Kind.FLAG),
    Column("promoters", Kind.WHOLE),
    Column("passives", Kind.WHOLE),
    Column("detractors", Kind.WHOLE),
    Column("invited", Kind.WHOLE),
    Column("response_rate", Kind.NUMBER),
    Column("response_rate_lower", Kind.NUMBER),
    Column("response_rate_upper", Kind.NUMBER),
)
_PREVIOUS: Final = (
    Column("previous_n", Kind.WHOLE),
    Column("previous_score", Kind.NUMBER),
    Column("change", Kind.NUMBER),
    Column("p_value", Kind.NUMBER),
    Column("p_adjusted", Kind.NUMBER),
)


def score_columns(by: Sequence[str], *, bucketed: bool) -> list[Column]:
    """The columns of an export of scores; only whole windows say what was before."""
    segments = [Column(f"segment_{name}") for name in by]
    head = [Column("metric"), Column("survey"), *segments, *_SCORE]
    return head if bucketed else [*head, *_PREVIOUS]


async def read_scores(
    connection: asyncpg.Connection, asked: Asked, reading: Reading
) -> AsyncGenerator[list[Cells], None]:
    """Yield rows in falling n, some thousand at a time."""
    teller = await judged(connection, asked, None, reading)
    places = page_of_groups(teller.sheet, asked, len(teller.sheet.segments), NOW).places
    for start in range(0, len(places), GROUPS_AT_ONCE):
        shown = places[start : start + GROUPS_AT_ONCE]
        groups = await asyncio.to_thread(teller.groups, shown)
        yield [_scored_cells(asked, group) for group in groups]


async def read_points(
    connection: asyncpg.Connection, asked: Asked, windows: Sequence[Window], reading: Reading
) -> AsyncGenerator[list[Cells], None]:
    """Yield rows of all buckets of a group, in falling n of the whole window."""
    question, reader = asked.question, reading.reader
    whole = await reader.groups(connection, question, [asked.window])
    places = page_of_groups(whole, asked, len(whole.segments), 0).places
    step = max(1, POINTS_AT_MOST // len(windows))
    for start in range(0, len(places), step):
        shown = [whole.segments[place] for place in places[start : start + step]]
        sheet = await reader.groups(connection, question, windows, only=shown)
        effects = await reading.widening.effects_by_day(connection, question, windows, sheet)
        points = Points(sheet, question, windows, effects, reading.sufficient)
        yield await asyncio.to_thread(_bucket_rows, asked, points, sheet, shown, len(windows))


def _bucket_rows(
    asked: Asked, points: Points, sheet: Sheet, shown: Sequence[Segment], windows: int
) -> list[Cells]:
    at = {segment: place for place, segment in enumerate(sheet.segments)}
    rates = [rates_of(sheet.answered(one), sheet.invited(one)) for one in range(windows)]
    return [
        (
            *_point_cells(asked, segment, point, sheet.group(window, at[segment])),
            *(interval_of(rates[window], at[segment]) or (None, None)),
        )
        for segment in shown
        for window, point in enumerate(points.of(segment))
    ]


def _scored_cells(asked: Asked, group: Scored) -> Cells:
    window, previous = asked.window, group.previous
    return (
        asked.question.metric,
        asked.question.survey,
        *(group.segment[name] for name in asked.question.by),
        window.start,
        window.end,
        *_figures(group),
        group.invited,
        group.response_rate,
        *(group.response_rate_interval or (None, None)),
        *(
            (None,) * len(_PREVIOUS)
            if previous is None
            else (
                previous.n,
                previous.score,
                previous.change,
                previous.p_value,
                previous.p_adjusted,
            )
        ),
    )


def _point_cells(asked: Asked, segment: Segment, point: Point, group: Group) -> Cells:
    return (
        asked.question.metric,
        asked.question.survey,
        *segment,
        point.start,
        point.end,
        *_figures(point),
        group.invited,
        group.response_rate,
    )


def _figures(found: Scored | Point) -> Cells:
    lower, upper = found.interval or (None, None)
    counts = found.counts
    return (
        found.n,
        found.score,
        lower,
        upper,
        found.design_effect,
        found.sufficient,
        counts.promoters,
        counts.passives,
        counts.detractors,
    )
