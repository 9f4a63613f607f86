"""How alike the answers of a day are is learnt from the answers."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from services.scoring.domain.alikeness import Alikeness
from services.scoring.store import adopt
from services.scoring.store.columns import Columns
from services.scoring.store.crowding import Widening
from services.scoring.store.reader import Reader
from services.scoring.worker import Estimating, alikeness, keep_alike
from shared.db import open_engine
from tests.support.scoring import LAYOUT, START, response
from tests.support.scoring_api import settle
from tests.support.scoring_columns import fill

NOW = START + timedelta(hours=1)


def unlike_days(draw: np.random.Generator, start: datetime) -> list[Any]:
    """Twenty days, on each of which answers are much alike, in two regions."""
    found = []
    for day in range(20):
        share = draw.choice([0.1, 0.9])
        for number in range(16):
            score = 10 if draw.random() < share else 0
            at = start - timedelta(days=day, minutes=number)
            segments = {"region": "AB"[number % 2], "channel": str(number % 3)}
            key = f"r-{day}-{number}"
            found.append(response(key, score, segments=segments, answered_at=at))
    return found


async def test_how_alike_the_answers_of_a_day_are_is_estimated_from_them(
    fresh_database_url: str,
) -> None:
    alike = Alikeness(("day", "channel"))
    stop = asyncio.Event()
    async with open_engine(fresh_database_url, schema="scoring") as engine:
        await adopt(engine, LAYOUT)
        await settle(engine, unlike_days(np.random.default_rng(3), START))
        widening = Widening(Reader(engine), alike, ZoneInfo("UTC"))
        worker = asyncio.create_task(keep_alike(Estimating(widening, LAYOUT, lambda: NOW), stop))
        while not alike.known:
            await asyncio.sleep(0.01)
        stop.set()
        await worker

    assert {metric for metric, _, _ in alike.known} == {"nps"}
    assert 0.4 < alike.of("nps", (), "day") < 0.9
    assert 0.4 < alike.of("nps", ("region",), "day") < 0.9
    assert alike.of("nps", (), "channel") < 0.1
    assert alike.of("nps", ("touchpoint",), "day") == alike.of("nps", (), "day")
    assert alike.of("csat", (), "day") == 0


async def test_it_waits_for_the_columns_to_be_filled(fresh_database_url: str) -> None:
    alike, stop = Alikeness(("day",)), asyncio.Event()
    async with open_engine(fresh_database_url, schema="scoring") as engine:
        await adopt(engine, LAYOUT)
        await settle(engine, unlike_days(np.random.default_rng(3), START))
        reader = Reader(engine, columns=Columns(100_000))
        estimating = Estimating(Widening(reader, alike, ZoneInfo("UTC")), LAYOUT, lambda: NOW)
        worker = asyncio.create_task(keep_alike(estimating, stop))
        await asyncio.sleep(0.3)
        unfilled = dict(alike.known)
        await fill(reader)
        async with asyncio.timeout(10):
            while not alike.known:
                await asyncio.sleep(0.01)
        stop.set()
        await worker

    assert unfilled == {}
    assert 0.4 < alike.of("nps", (), "day") < 0.9


async def test_it_is_learnt_from_answers_that_were_imported_long_after_they_were_given(
    fresh_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alikeness, "_FIRST_S", 0.01)
    alike, stop = Alikeness(("day",)), asyncio.Event()
    years_later = NOW + timedelta(days=3000)
    async with open_engine(fresh_database_url, schema="scoring") as engine:
        await adopt(engine, LAYOUT)
        widening = Widening(Reader(engine), alike, ZoneInfo("UTC"))
        estimating = Estimating(widening, LAYOUT, lambda: years_later)
        worker = asyncio.create_task(keep_alike(estimating, stop))
        await asyncio.sleep(0.1)
        nothing = dict(alike.known)
        await settle(engine, unlike_days(np.random.default_rng(3), START))
        async with asyncio.timeout(10):
            while not alike.known:
                await asyncio.sleep(0.01)
        stop.set()
        await worker

    assert nothing == {}
    assert 0.4 < alike.of("nps", (), "day") < 0.9
