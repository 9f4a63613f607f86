"""Real answers, shuffled, repeated, amended and late: every segment equals a plain recount."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring.consumer import build_decoders, build_handler
from services.scoring.domain.cells import Layout
from services.scoring.domain.questions import Question
from services.scoring.domain.windows import Window
from services.scoring.store import Book, adopt
from services.scoring.store.reader import Reader
from shared.db import open_engine
from shared.stream.records import Decoded
from tests.support.recount import Counts, recount, rows
from tests.support.scoring import START, record, response
from tests.support.scoring_api import Nowhere

pytestmark = [pytest.mark.real_data, pytest.mark.timeout(300)]

SETS = {
    "carpentries_nps": ["touchpoint", "site", "when_taken", "pace", "language"],
    "airline_tweets": ["airline", "reason", "timezone", "touchpoint"],
    "olist": ["state", "category", "status", "seller_state", "touchpoint"],
}
EVER = Window(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
DECODE = build_decoders(["touchpoint"])


def layout_of(dimensions: Sequence[str]) -> Layout:
    """Every dimension, and every second pair: the others come from the answers themselves."""
    paths = {name: "touchpoint" if name == "touchpoint" else None for name in dimensions}
    return Layout(paths, tuple(list(combinations(dimensions, 2))[::2]))


def said(row: dict[str, str], dimensions: Sequence[str], **changes: Any) -> Any:
    segments = {name: row[name] for name in dimensions if name != "touchpoint" and row[name]}
    fields = {
        "metric": row["metric"],
        "scale": (0 if row["metric"] == "nps" else 1, int(float(row["scale_max"]))),
        "survey": None,
        "segments": segments,
        "touchpoint": row["touchpoint"] or None,
        "answered_at": datetime.fromisoformat(row["occurred_at"]),
    }
    return response(row["response_id"], int(float(row["score"])), **(fields | changes))


def unruly(counted: list[dict[str, str]], dimensions: Sequence[str], seed: int) -> list[Any]:
    """The answers in any order, some twice, some after what was first said and then amended."""
    draw = random.Random(seed)
    found = [said(row, dimensions) for row in counted]
    for row in draw.sample(counted, len(counted) // 4):
        found.append(said(row, dimensions))
        at = datetime.fromisoformat(row["occurred_at"]) - timedelta(hours=draw.randint(1, 900))
        other = draw.choice(counted)
        score = int(float(other["score"])) if other["metric"] == row["metric"] else 1
        fits = other["scale_max"] == row["scale_max"]
        elsewhere = {"segments": {dimensions[1]: "elsewhere"}, "answered_at": at}
        found.append(said(row | ({"score": str(score)} if fits else {}), dimensions, **elsewhere))
    draw.shuffle(found)
    return found


def batches(values: list[Any], seed: int) -> Iterator[list[Any]]:
    draw, first = random.Random(seed), 0
    while first < len(values):
        size = draw.randint(1, 3000)
        yield values[first : first + size]
        first += size


async def take_in(engine: AsyncEngine, values: list[Any]) -> None:
    """Two replicas share the batches, as they come."""
    waiting = list(batches(values, 3))

    async def replica() -> None:
        handle = build_handler(Book(), Nowhere(), lambda _: None, lambda: START)
        while waiting:
            found = [record(value, offset) for offset, value in enumerate(waiting.pop())]
            async with engine.begin() as connection:
                await handle([Decoded(one, DECODE[one.topic](one)) for one in found], connection)

    await asyncio.gather(replica(), replica())


async def counted_by(
    reader: Reader, metric: str, by: tuple[str, ...], window: Window = EVER
) -> dict[tuple[str, ...], Counts]:
    async with reader.snapshot() as connection:
        sheet = await reader.groups(connection, Question(metric, by=by), [window])
    tallies = sheet.tallies(0)
    classes = zip(tallies.promoters, tallies.passives, tallies.detractors, strict=True)
    found = zip(sheet.segments, (tuple(map(int, one)) for one in classes), strict=True)
    return {segment: (one[0], one[1], one[2]) for segment, one in found if any(one)}


@pytest.mark.parametrize("name", SETS)
async def test_every_segment_equals_the_recount(
    name: str, real_data: Path, fresh_database_url: str
) -> None:
    dimensions = SETS[name]
    counted = rows(real_data / name / "responses.csv.gz")
    async with open_engine(fresh_database_url, schema="scoring") as engine:
        await adopt(engine, layout_of(dimensions))
        await take_in(engine, unruly(counted, dimensions, seed=11))
        reader = Reader(engine)

        for metric in sorted({row["metric"] for row in counted}):
            for by in [(), *((one,) for one in dimensions), *combinations(dimensions, 2)]:
                expected = recount(counted, metric, by)
                assert await counted_by(reader, metric, tuple(by)) == expected, (metric, by)


@pytest.mark.parametrize("name", SETS)
async def test_every_month_equals_the_recount(
    name: str, real_data: Path, fresh_database_url: str
) -> None:
    dimensions = SETS[name]
    counted = rows(real_data / name / "responses.csv.gz")
    months = defaultdict(list)
    for row in counted:
        months[row["occurred_at"][:7]].append(row)
    async with open_engine(fresh_database_url, schema="scoring") as engine:
        await adopt(engine, layout_of(dimensions))
        await take_in(engine, unruly(counted, dimensions, seed=12))
        reader = Reader(engine)

        for month, within in months.items():
            start = datetime.fromisoformat(f"{month}-01T00:00:00+00:00")
            window = Window(start, (start + timedelta(days=32)).replace(day=1))
            for metric in sorted({row["metric"] for row in within}):
                expected = recount(within, metric, dimensions[:1])
                by = (dimensions[0],)
                assert await counted_by(reader, metric, by, window) == expected, (metric, month)
