"""Columns that somebody holds up hold up nobody else."""

import asyncio

import pytest

from services.scoring.domain.questions import Question
from services.scoring.domain.windows import Window
from services.scoring.store import adopt
from services.scoring.store.columns import Columns, cache
from services.scoring.store.reader import Reader
from shared.db import open_engine
from tests.support.scoring import LAYOUT, START
from tests.support.scoring_api import NOW, VALUES, settle


async def test_a_question_that_does_not_get_its_turn_is_answered_by_the_database(
    fresh_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_TURN_S", 0.05)
    question, window = Question("nps", by=("region",)), Window(START, NOW)
    async with open_engine(fresh_database_url, schema="scoring") as engine:
        await adopt(engine, LAYOUT)
        await settle(engine, VALUES)
        plain, kept = Reader(engine), Reader(engine, columns=Columns(10_000))
        async with plain.snapshot() as connection:
            expected = await plain.groups(connection, question, [window])
        assert kept.columns is not None

        async with kept.columns.lock, asyncio.timeout(5), kept.snapshot() as connection:
            found = await kept.groups(connection, question, [window])

    assert dict(zip(found.segments, found.n(0).tolist(), strict=True)) == dict(
        zip(expected.segments, expected.n(0).tolist(), strict=True)
    )
    assert expected.n(0).sum() > 0
