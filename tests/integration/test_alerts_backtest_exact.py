"""A backtest by the settings that run gives the alerts that opened, number by number."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.commands.backtest import Asked, judge_again
from services.alerts.commands.listing import Found
from services.alerts.domain.alerts import Alert
from services.alerts.domain.answers import minute_of
from services.alerts.domain.silences import Matcher, Silence
from services.alerts.domain.terms import Policy
from services.alerts.handlers.rehearsing import Setup
from services.alerts.store.audits import read_newest
from services.alerts.store.clusters import read_clusters
from services.alerts.store.rehearsals import play, read_known
from services.alerts.store.silences import put_silence
from services.alerts.worker.auditing import Auditing
from services.alerts.worker.courtroom import Terms
from shared.db import open_engine
from shared.events import ScoredResponse
from tests.support.alerts import LATTICE, START, AlertsRig, finish, judging, scored
from tests.support.alerts_history import BAD

HOUR = timedelta(hours=1)
QUIET = START + 36 * HOUR
UTC_ZONE = ZoneInfo("UTC")
# What needs the wall clock, the audit trail or what detractors said is not judged again.
_NOT_AGAIN = ("id", "raised_at", "updated_at", "revision", "historic", "top_reasons",
              "sample_comments")  # fmt: skip


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(fresh_database_url, schema="alerts") as engine:
        yield engine


def flights(*, days: float) -> list[ScoredResponse]:
    """Thirty answers an hour; twice a day a bad flight of thirty; one fault at the end."""
    draw, answers = random.Random(4), list[ScoredResponse]()
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
    """All that judging gives."""
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
        done = await play(connection, known, setup, (noon, known.last), partial(asyncio.sleep, 0))
        async with connection.begin():
            whole = await read_clusters(connection, known.line, known.last)

    assert len(done.clusters.counts) == 4
    assert done.clusters.counts == whole.counts
    assert np.array_equal(done.clusters.shared, whole.shared)  # type: ignore[arg-type]


def lopsided(*, hours: int) -> list[ScoredResponse]:
    """From the second noon on the contented half says nothing: the rest alone looks like a rise."""
    draw, rates = random.Random(5), {"EU": 0.02, "US": 0.6}
    answers = []
    for number in range(hours * 30):
        at = START + number * timedelta(minutes=2)
        region = "US" if at >= QUIET else draw.choice(("EU", "US"))
        where, bad = {"region": region, "product": "shoes"}, draw.random() < rates[region]
        answers.append(scored(number, at, detractor=bad, segments=where))
    return answers


def window(**changed: Any) -> Silence:
    usual: dict[str, Any] = {
        "id": "s-1", "matchers": Matcher(segment={"region": "EU"}), "begins_at": QUIET,
        "ends_at": QUIET + 24 * HOUR, "maintenance": True, "by": "anne", "note": None,
        "created_at": START,
    }  # fmt: skip
    return Silence(**(usual | changed))


async def make(engine: AsyncEngine, silence: Silence) -> None:
    async with engine.begin() as connection:
        await put_silence(connection, silence)


async def alarms(rig: AlertsRig) -> int:
    """That an audit counts."""
    rig.now += timedelta(days=2)
    await Auditing(rig.engine, Terms(Policy(), LATTICE, {}, lambda: rig.now), UTC_ZONE).turn()
    async with rig.engine.connect() as connection:
        audit = await read_newest(connection)
    assert audit is not None
    return audit.all.alarms.all


@pytest.mark.thorough
async def test_what_maintenance_suppressed_is_no_alarm_of_the_audit(engine: AsyncEngine) -> None:
    rig = AlertsRig(engine)
    await make(engine, window())
    assert await lived(rig, lopsided(hours=56), parts=2) == []

    found = await again(engine)

    assert found.pairs == []
    assert [line.windows for line in found.judged] == [1]
    assert await alarms(rig) == 0
    async with engine.begin() as connection:
        await connection.execute(sa.text("DELETE FROM silences"))  # had it not been replayed
    assert await alarms(rig) == 1


@pytest.mark.thorough
async def test_a_window_that_was_made_late_suppresses_nothing_that_came_before_it(
    engine: AsyncEngine,
) -> None:
    rig = AlertsRig(engine)
    answers = lopsided(hours=56)
    before = [one for one in answers if one.answered_at < QUIET + 8 * HOUR]
    assert len(await lived(rig, before, parts=1)) == 1
    await make(engine, window(created_at=QUIET + 8 * HOUR))
    real = await lived(rig, answers[len(before) :], parts=2)

    found = await again(engine)

    assert [numbers(p.again) for p in found.pairs] == [numbers(alert) for alert in real]
    assert [line.windows for line in found.judged] == [1]
    assert await alarms(rig) == len(real) == 1
