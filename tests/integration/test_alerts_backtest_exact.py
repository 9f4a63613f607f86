"""A backtest by the settings that run gives the alerts that opened, number by number."""

import random
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import msgspec
import numpy as np
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.commands.backtest import Asked, judge_again
from services.alerts.commands.listing import Found
from services.alerts.domain.alerts import Alert
from services.alerts.domain.answers import minute_of
from services.alerts.domain.terms import Policy
from services.alerts.handlers.rehearsing import Setup
from services.alerts.store.clusters import read_clusters
from services.alerts.store.rehearsals import play, read_known
from shared.db import open_engine
from shared.events import ScoredResponse
from tests.support.alerts import LATTICE, START, AlertsRig, finish, judging, scored
from tests.support.alerts_history import BAD

HOUR = timedelta(hours=1)
# What needs the wall clock, the audit trail or what detractors said is not judged again.
_NOT_AGAIN = ("id", "raised_at", "updated_at", "revision", "historic", "top_reasons",
              "sample_comments")  # fmt: skip


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(fresh_database_url, schema="alerts") as engine:
        yield engine


def flights(*, days: float, seed: int = 4) -> list[ScoredResponse]:
    """Thirty answers an hour; twice a day a bad flight of thirty; one fault at the end."""
    draw = random.Random(seed)
    answers: list[ScoredResponse] = []
    fault = START + timedelta(days=days) - 12 * HOUR

    def add(at: timedelta, where: dict[str, str], share: float, flight: str | None) -> None:
        answers.append(scored(len(answers), START + at, detractor=draw.random() < share,
                              segments=where, customer_id=flight))  # fmt: skip

    for minute in range(0, int(days * 24 * 60), 2):
        at = timedelta(minutes=minute, seconds=draw.randrange(60))
        where = {"region": draw.choice(("EU", "US")), "product": draw.choice(("shoes", "hats"))}
        bad = START + at >= fault and where == BAD
        add(at, where, 0.6 if bad else 0.12, None if draw.random() < 0.5 else f"LH{minute // 90}")
        if minute > 28 * 60 and minute % 720 < 60:
            add(at, {"region": "US", "product": "hats"}, 0.9, f"bad-{minute // 720}")
    return answers


async def lived(rig: AlertsRig, answers: Sequence[ScoredResponse], parts: int) -> Sequence[Alert]:
    """Answers come in parts; each is judged by another judge, which reads what the last left."""
    size = len(answers) // parts + 1
    for first in range(0, len(answers), size):
        rig.put(answers[first : first + size])
        await rig.count_all()
        async with judging(rig.judge()) as judge:
            await finish(judge)
    return await rig.alerts()


async def again(engine: AsyncEngine, **asked: object) -> Found:
    async with engine.connect() as connection:
        return await judge_again(connection, Asked(policy=Policy(), lattice=LATTICE, **asked))  # type: ignore[arg-type]


def numbers(alert: Alert | None) -> dict[str, object]:
    """All that judging gives, up to what a sum of floats may differ by."""
    assert alert is not None
    built = msgspec.to_builtins(alert)
    return {name: value for name, value in built.items() if name not in _NOT_AGAIN}


@pytest.mark.thorough
async def test_where_answers_come_in_clusters(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More clusters than have names; judges change within a day."""
    monkeypatch.setattr("services.alerts.domain.clusters.NAMED", 12)
    monkeypatch.setattr("services.alerts.domain.clusters.SHARED", 64)
    rig = AlertsRig(engine, cluster_by="customer")
    answers = flights(days=3)
    real = await lived(rig, answers, parts=5)

    found = await again(engine)

    assert len(real) >= 1
    assert [pair.later for pair in found.pairs] == [timedelta()] * len(real)
    assert [numbers(p.again) for p in found.pairs] == [numbers(p.real) for p in found.pairs]
    assert await rig.rows("SELECT count(DISTINCT cluster) > 12 FROM ticks") == [(True,)]
    monkeypatch.setattr("services.alerts.domain.clusters.CORRELATION", 0.0)
    alone = await again(engine)  # had each weighed 1, it would be other alerts
    assert len(alone.pairs) > len(real)


async def test_a_day_that_had_begun_before_the_first_minute(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a cluster weighs in the afternoon depends on what its morning brought."""
    monkeypatch.setattr("services.alerts.domain.clusters.NAMED", 4)
    rig = AlertsRig(engine, cluster_by="customer")
    await lived(rig, flights(days=0.8), parts=1)
    setup = Setup(promise=1.0, policy_at=lambda _: Policy(), lattice=LATTICE)
    async with engine.connect() as connection:
        (known,) = await read_known(connection, 50)
        noon = minute_of(START + 12 * HOUR)
        await connection.rollback()
        done = await play(connection, known, setup, (noon, known.last), _no_rest)
        async with connection.begin():
            whole = await read_clusters(connection, known.line, known.last)

    assert len(done.clusters.counts) == 4
    assert done.clusters.counts == whole.counts
    assert np.array_equal(done.clusters.shared, whole.shared)  # type: ignore[arg-type]


async def _no_rest() -> None:
    """Nobody waits."""
