"""Questions drawn at random, answered out of the columns and out of the database."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring.consumer import build_decoders, build_handler
from services.scoring.domain.questions import Question, Segment
from services.scoring.domain.sheets import Sheet
from services.scoring.domain.windows import Window
from services.scoring.store import Book, adopt
from services.scoring.store.groups import read_groups
from services.scoring.store.reader import Reader
from services.scoring.worker.columns import tend
from shared.db import open_engine
from shared.stream.records import Decoded
from tests.support.scoring import LAYOUT, START, record
from tests.support.scoring_api import Nowhere

CAP = 2  # values of a dimension: a third one is `other`
DIMENSIONS = ("region", "product", "channel", "touchpoint")
VALUES = {
    "region": ("A", "B", "C", "nowhere"),
    "product": ("x", "y", "other"),
    "channel": ("web",),
    "touchpoint": ("till", "delivery"),
}
_DECODE = build_decoders(["touchpoint"])
Sums = dict[tuple[int, Segment, int], tuple[int, ...]]


@asynccontextmanager
async def opened_replicas(url: str) -> AsyncIterator[list[AsyncEngine]]:
    """The engines of two replicas, of values up to `CAP`."""
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(open_engine(url, schema="scoring")) for _ in range(2)
        ]
        await adopt(opened[0], LAYOUT, values_at_most=CAP)
        yield opened


async def settle(engine: AsyncEngine, values: Sequence[Any], values_at_most: int) -> None:
    """One batch, as the consumer of one replica handles it."""
    handle = build_handler(
        Book(values_at_most=values_at_most), Nowhere(), lambda _: None, lambda: START
    )
    records = [record(value, offset) for offset, value in enumerate(values)]
    async with engine.begin() as connection:
        await handle([Decoded(one, _DECODE[one.topic](one)) for one in records], connection)


def draw_question(draw: random.Random) -> tuple[Question, list[Window], list[Segment] | None]:
    """Any question: by 0-2, where 0-3, ragged edges, one window or many, by either time."""
    names = draw.sample(DIMENSIONS, draw.randint(0, 3))
    by = tuple(names[: draw.randint(0, min(2, len(names)))])
    where = tuple((name, draw.choice(VALUES[name])) for name in names[len(by) :])
    survey = draw.choice([None, None, "post-delivery", "other", "unheard-of"])
    question = Question(
        draw.choice(["nps", "csat", "ces"]), survey, by, where, on_event=draw.random() < 0.3
    )
    only = [tuple(draw.choice(VALUES[name]) for name in by) for _ in range(2)]
    keep = sorted(set(only)) if by and draw.random() < 0.3 else None
    return question, _windows(draw), keep


def _windows(draw: random.Random) -> list[Window]:
    start = START + timedelta(minutes=draw.randint(-400, 300), microseconds=draw.randint(0, 5))
    if draw.random() < 0.3:
        start = start.replace(minute=0, second=0, microsecond=0)
    length = draw.choice([timedelta(minutes=7), timedelta(hours=1), timedelta(hours=9)])
    edges: list[datetime] = [start + length * n for n in range(draw.choice([1, 2, 5]) + 1)]
    return [Window(first, last) for first, last in pairwise(edges)]


def told(sheet: Sheet) -> Sums:
    """Every group that has anything, in every window and on every scale."""
    return {
        (window, segment, scale): tuple(sums[window, place].tolist())
        for scale, sums in sheet.sums.items()
        for window in range(len(sums))
        for place, segment in enumerate(sheet.segments)
        if sums[window, place].any()
    }


async def both(reader: Reader, draw: random.Random, questions: int) -> int:
    """Ask in one snapshot; return how many answers came out of the columns, all as they should."""
    found = 0
    async with reader.snapshot() as connection:
        for _ in range(questions):
            found += await _asked(reader, connection, draw_question(draw))
    return found


async def _asked(
    reader: Reader,
    connection: asyncpg.Connection,
    asked: tuple[Question, list[Window], list[Segment] | None],
) -> bool:
    question, windows, only = asked
    assert reader.columns is not None
    sheet = await reader.columns.groups(connection, question, windows, only)
    if sheet is None:
        return False
    plain = await read_groups(
        connection, question, windows, only=only, values_at_most=reader.values_at_most
    )
    assert told(sheet) == told(plain), (question, windows, only)
    return True


async def fill(reader: Reader) -> None:
    """Hold all that has room."""
    assert reader.columns is not None
    while await tend(reader.engine, reader.columns):
        pass
